import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binaryScores } from '../../../src/explain/scorers/binary-scores.js'
import { Random } from '../../../src/random/random.js'

test('the figures of a case counted by hand', () => {
  // 3 of 4 positives found, 1 of 2 negatives mistaken: precision 3/4, recall 3/4
  const scores = binaryScores([true, true, true, true, false, false], [0.9, 0.8, 0.7, 0.2, 0.75, 0.1])
  assert.deepEqual(
    [scores.positives, scores.negatives, scores.sensitivity, scores.specificity, scores.balancedAccuracy],
    [4, 2, 0.75, 0.5, 0.625],
  )
  assert.equal(scores.f1, 0.75)
  // Pairs of a positive and a negative, of which the positive is larger: 2 + 2 + 1 + 1 of 8.
  assert.equal(scores.auc, 6 / 8)
})

test('the area under the curve is the share of pairs in the right order, ties half', () => {
  const random = new Random(2)
  for (let round = 0; round < 20; round++) {
    const truth = Array.from({ length: 30 }, (_, i) => i < 2 || (i > 3 && random.uniform() < 0.4))
    const values = truth.map(() => random.int(6))
    let sum = 0
    let pairs = 0
    for (const [i, yes] of truth.entries())
      for (const [j, other] of truth.entries())
        if (yes && !other) {
          pairs++
          sum += values[i] > values[j] ? 1 : values[i] === values[j] ? 0.5 : 0
        }
    assert.ok(Math.abs(binaryScores(truth, values).auc! - sum / pairs) < 1e-12)
  }
})

test('guessing the same for all is a half, and one class alone has no accuracy', () => {
  const same = binaryScores([true, true, false], [1, 1, 1])
  assert.deepEqual([same.balancedAccuracy, same.auc], [0.5, 0.5])
  const positives = binaryScores([true, true], [1, 0])
  assert.deepEqual(
    [positives.balancedAccuracy, positives.auc, positives.specificity, positives.sensitivity],
    [null, null, null, 0.5],
  )
  assert.deepEqual(binaryScores([], []).f1, null)
  assert.equal(binaryScores([true, false], [0.5, 0.5]).sensitivity, 0)
})
