import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pearson } from '../../src/interp/correlation.js'
import {
  addCodes,
  addDense,
  addToken,
  correlations,
  createCorrelationSums,
} from '../../src/interp/correlation-sums.js'
import { specificity } from '../../src/interp/specificity.js'
import { Random } from '../../src/random/random.js'

test('pearson of a hand-computed case: covariance 1, variances 2 and 2', () => {
  assert.ok(Math.abs((pearson([1, 2, 3], [1, 3, 2]) ?? 0) - 0.5) < 1e-12)
  assert.equal(pearson([1, 1], [0, 1]), null)
})

test('correlations from sums agree with pearson, for codes and for dense rows', () => {
  const random = Random.named(3, 'correlations')
  const n = 400
  const columns = 6
  const dense = Float32Array.from({ length: n * columns }, () =>
    random.uniform() < 0.5 ? random.uniform() * 3 : 0,
  )
  for (let i = 0; i < n; i++) dense[i * columns] = 0
  const held = Array.from({ length: n }, (_, i) =>
    [0, 1].filter((p) => random.uniform() < 0.2 + 0.2 * dense[i * columns + 1 + p]),
  )
  const fromDense = createCorrelationSums(columns, 2)
  const fromCodes = createCorrelationSums(columns, 2)
  for (let i = 0; i < n; i++) {
    addToken(fromDense, held[i])
    addDense(fromDense, dense, i, held[i])
    const active = Array.from({ length: columns }, (_, j) => j).filter((j) => dense[i * columns + j] > 0)
    const codes = {
      rowOffsets: Int32Array.of(0, active.length),
      featureIds: Int32Array.from(active),
      values: Float32Array.from(active, (j) => dense[i * columns + j]),
    }
    addToken(fromCodes, held[i])
    addCodes(fromCodes, codes, 0, held[i])
  }
  for (const p of [0, 1]) {
    const labels = held.map((list) => (list.includes(p) ? 1 : 0))
    for (let j = 0; j < columns; j++) {
      const expected = pearson(
        Array.from({ length: n }, (_, i) => dense[i * columns + j]),
        labels,
      )
      assert.ok(Math.abs(correlations(fromDense, p)[j] - (expected ?? 0)) < 1e-9)
      assert.equal(correlations(fromCodes, p)[j], correlations(fromDense, p)[j])
    }
  }
})

test('a constant column and a label that always holds correlate with nothing', () => {
  const sums = createCorrelationSums(1, 2)
  for (let i = 0; i < 1000; i++) {
    const labels = i % 2 === 0 ? [0, 1] : [1]
    addToken(sums, labels)
    addDense(sums, Float32Array.of(0.1), 0, labels)
  }
  assert.equal(correlations(sums, 0)[0], 0)
  assert.equal(correlations(sums, 1)[0], 0)
})

test('precision, recall and log-likelihood ratio by level match a hand-computed case', () => {
  const values = Float32Array.of(4, 3, 1.5, 0.5, 0, 0, 2, 0)
  const labels = Uint8Array.of(1, 1, 1, 0, 1, 0, 0, 0)
  const { max, levels } = specificity(values, labels)
  assert.equal(max, 4)
  const [zero, , , half, most] = levels
  // above 0: five tokens, three of the four positives; above 2 (not at 2): two tokens, both positive
  assert.deepEqual([zero.tokens, zero.precision, zero.recall], [5, 3 / 5, 3 / 4])
  assert.deepEqual([half.tokens, half.precision, half.recall], [2, 1, 2 / 4])
  assert.deepEqual([most.tokens, most.precision], [1, 1])
  assert.equal(zero.logLikelihoodRatio, Math.log(3.5 / 5) - Math.log(2.5 / 5))
  assert.equal(half.logLikelihoodRatio, Math.log(2.5 / 5) - Math.log(0.5 / 5))
})

test('a feature that never fires has no precision, and a predicate that never holds no recall', () => {
  const silent = specificity(new Float32Array(3), Uint8Array.of(0, 1, 0))
  assert.equal(silent.correlation, null)
  assert.equal(silent.levels[0].precision, null)
  assert.equal(silent.levels[0].recall, 0)
  const absent = specificity(Float32Array.of(1, 0), new Uint8Array(2))
  assert.equal(absent.levels[0].recall, null)
  assert.equal(absent.levels[0].logLikelihoodRatio, null)
})
