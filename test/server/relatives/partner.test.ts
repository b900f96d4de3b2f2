import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Universality } from '../../../src/compare/universality-file.js'
import { matchOf } from '../../../src/server/relatives/partner.js'
import { partners } from './compared-run.js'

const universality = {
  aToB: partners([2, null, 0], [2, 1, null]),
  bToA: partners([2, 0, 2], null),
} as Universality

test('a feature has the partner that its activations chose, with what the logit weights say', () => {
  assert.deepEqual(matchOf(universality, 'a', 0), {
    ...{ feature: 2, correlation: 0.75, heldOut: 0.5, logitSimilarity: 0.25 },
    ...{ byLogits: { feature: 2, similarity: 0.625 }, mutual: false },
  })
  assert.equal(matchOf(universality, 'a', 2)?.mutual, true)
  assert.equal(matchOf(universality, 'a', 2)?.byLogits, null)
})

test('features of the second dictionary are looked up the other way round', () => {
  assert.equal(matchOf(universality, 'b', 0)?.feature, 2)
  assert.equal(matchOf(universality, 'b', 0)?.mutual, true)
  assert.equal(matchOf(universality, 'b', 0)?.byLogits, null)
})

test('a feature that was not compared has no partner', () => {
  assert.equal(matchOf(universality, 'a', 1), null)
})
