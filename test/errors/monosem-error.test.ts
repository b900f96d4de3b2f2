import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'

test('an error carries its code, hint and cause, and is an Error', () => {
  const cause = new Error('inner')
  const error = new MonosemError('shape', 'expected activations [N, 512], got [N, 768]', {
    hint: 'check the hook',
    cause,
  })
  assert.ok(error instanceof Error)
  assert.equal(error.name, 'MonosemError')
  assert.equal(error.code, 'shape')
  assert.equal(error.hint, 'check the hook')
  assert.equal(error.cause, cause)
})

test('without a cause there is no cause property, so that printing it shows none', () => {
  assert.ok(!('cause' in new MonosemError('io', 'x')))
})
