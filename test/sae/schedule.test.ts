import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decayAtEnd, warmUp } from '../../src/sae/schedule.js'

test('warm-up rises in equal steps to 1 and stays there', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 100].map((step) => warmUp(step, 4)),
    [0.25, 0.5, 0.75, 1, 1, 1],
  )
  assert.equal(warmUp(0, 0), 1)
})

test('the decay leaves all but the last steps alone and never reaches 0', () => {
  assert.deepEqual(
    [0, 5, 6, 7, 8, 9].map((step) => decayAtEnd(step, 10, 4)),
    [1, 1, 1, 0.75, 0.5, 0.25],
  )
  assert.equal(decayAtEnd(9, 10, 0), 1)
})
