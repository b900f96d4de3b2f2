import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'
import { pearsonScore, spearmanScore } from '../../src/explain/correlation.js'
import { ranks } from '../../src/interp/correlation.js'
import { Random } from '../../src/random/random.js'

test('equal values share the mean of their ranks', () => {
  assert.deepEqual([...ranks([10, 20, 10, 5, 20, 20])], [2.5, 5, 2.5, 1, 5, 5])
})

test('spearman agrees with a case counted by hand', () => {
  // ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * 4 / (4 * 15) = 0.6
  assert.ok(Math.abs(spearmanScore([1, 2, 30, 40], [5, 4, 9, 8])! - 0.6) < 1e-12)
  // ties: ranks 1.5 1.5 3.5 3.5 against 1 2 3 4: covariance 4, variances 4 and 5
  assert.ok(Math.abs(spearmanScore([0, 0, 9, 9], [1, 2, 3, 4])! - 4 / Math.sqrt(20)) < 1e-12)
})

test('spearman sees only the order', () => {
  const random = new Random(1)
  const a = Array.from({ length: 200 }, () => random.int(10))
  const b = a.map((value) => Math.exp(value) - 3)
  assert.ok(Math.abs(spearmanScore(a, b)! - 1) < 1e-12)
  assert.ok(pearsonScore(a, b)! < 0.9)
  assert.ok(
    Math.abs(
      spearmanScore(
        a.map((value) => -value),
        b,
      )! + 1,
    ) < 1e-12,
  )
})

test('a constant prediction scores 0, a constant truth has no score', () => {
  // The rounded mean of ten times 0.1 is not 0.1: a variance of rounding errors must not become a score.
  const constant = new Array(10).fill(0.1)
  const varied = constant.map((_, i) => i)
  for (const score of [spearmanScore, pearsonScore]) {
    assert.equal(score(constant, varied), 0)
    assert.equal(score(varied, constant), null)
    assert.equal(score([], []), null)
  }
})

test('lists of different lengths and numbers that are none are refused', () => {
  for (const [a, b] of [
    [[1, 2], [1]],
    [
      [1, Number.NaN],
      [1, 2],
    ],
    [
      [1, 2],
      [1, Number.POSITIVE_INFINITY],
    ],
  ])
    assert.throws(
      () => spearmanScore(a, b),
      (error) => error instanceof MonosemError && error.code === 'shape',
    )
})
