import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meanMaxCosine } from '../../../src/synthetic/toy/mean-max-cosine.js'

test('mean max cosine is a different number in each direction', () => {
  const truth = Float32Array.of(2, 0, 0, 3)
  // cosines with the true ones: (1, 0), (0.6, 0.8), (-1, 0)
  const learned = Float32Array.of(5, 0, 0.6, 0.8, -1, 0)
  const found = meanMaxCosine(truth, learned, 2)
  assert.ok(Math.abs(found.trueToLearned - (1 + 0.8) / 2) < 1e-7)
  assert.ok(Math.abs((found.learnedToTrue ?? 0) - (1 + 0.8 + 0) / 3) < 1e-7)
  assert.deepEqual(
    [...found.bestOfTrue].map((cosine) => Number(cosine.toFixed(6))),
    [1, 0.8],
  )
})

test('the opposite direction is another feature', () => {
  const found = meanMaxCosine(Float32Array.of(1, 0), Float32Array.of(-1, 0), 2)
  assert.equal(found.trueToLearned, -1)
})

test('a dictionary without features recovers nothing, and a feature without direction is like no other', () => {
  const none = meanMaxCosine(Float32Array.of(1, 0), new Float32Array(0), 2)
  assert.deepEqual([none.trueToLearned, none.learnedToTrue, [...none.bestOfTrue]], [0, null, [0]])
  assert.equal(meanMaxCosine(Float32Array.of(1, 0), new Float32Array(2), 2).trueToLearned, 0)
})
