import assert from 'node:assert/strict'
import { test } from 'node:test'
import { densityReport } from '../../src/eval/density.js'
import {
  addToVarianceSums,
  createVarianceSums,
  explainedVariance,
} from '../../src/eval/explained-variance.js'
import { lossRecovered } from '../../src/eval/loss-recovered.js'
import { ratioInterval } from '../../src/eval/ratio-interval.js'
import { reconstructionErrors } from '../../src/eval/reconstruction.js'
import { activationSums, activeFeatures, countFires } from '../../src/eval/sparsity.js'

test('explained variance of a hand-computed case: mean (2, 2), deviation 8, squared error 2', () => {
  const sums = createVarianceSums(2)
  addToVarianceSums(sums, Float32Array.of(0, 2, 2, 0), 1.5)
  addToVarianceSums(sums, Float32Array.of(4, 2, 2, 4), 0.5)
  assert.deepEqual(Array.from(sums.mean), [2, 2])
  // (4 + 0) + (0 + 4) + (4 + 0) + (0 + 4)
  assert.equal(sums.deviation, 16)
  assert.equal(explainedVariance(sums), 1 - 2 / 16)
})

test('explained variance in one pass agrees with two passes, whatever the batches and a large common offset', () => {
  const d = 3
  const x = Float32Array.from({ length: 60 * d }, (_, i) => 10_000 + Math.sin(i * 1.7) * (1 + (i % d)))
  const mean = [0, 1, 2].map((j) => x.filter((_, i) => i % d === j).reduce((a, b) => a + b, 0) / 60)
  const deviation = x.reduce((sum, value, i) => sum + (value - mean[i % d]) ** 2, 0)
  const sums = createVarianceSums(d)
  for (const [from, to] of [
    [0, 1],
    [1, 1],
    [1, 38],
    [38, 60],
  ])
    addToVarianceSums(sums, x.subarray(from * d, to * d), 0.25)
  assert.ok(Math.abs(sums.deviation / deviation - 1) < 1e-9, `${sums.deviation} against ${deviation}`)
})

test('explained variance of activations that do not vary is null', () => {
  const sums = createVarianceSums(1)
  assert.equal(explainedVariance(sums), null)
  addToVarianceSums(sums, Float32Array.of(3, 3), 1)
  assert.equal(explainedVariance(sums), null)
})

test('squared error and cosine of each token match a hand-computed case', () => {
  const { squaredErrors, cosines } = reconstructionErrors(
    Float32Array.of(3, 4, 1, 0, 0, 0),
    Float32Array.of(4, 3, 0, 2, 1, 1),
    2,
  )
  assert.deepEqual(Array.from(squaredErrors), [2, 5, 2])
  assert.deepEqual(Array.from(cosines), [24 / 25, 0, 0])
})

test('L0, L1 and fires of codes match a hand-computed case', () => {
  const codes = {
    rowOffsets: Int32Array.of(0, 2, 2, 3),
    featureIds: Int32Array.of(0, 3, 3),
    values: Float32Array.of(0.5, 1.5, 4),
  }
  const fires = new Float64Array(4)
  countFires(fires, codes)
  assert.deepEqual(Array.from(activeFeatures(codes)), [2, 0, 1])
  assert.deepEqual(Array.from(activationSums(codes)), [2, 0, 4])
  assert.deepEqual(Array.from(fires), [1, 0, 0, 2])
})

test('density counts dead and ultra-low features and bins the rest by log10', () => {
  const report = densityReport([0, 1, 9, 100_000, 10_000_000], 10_000_000)
  assert.equal(report.dead, 1)
  assert.equal(report.deadFraction, 0.2)
  // 1e-7 and 9e-7
  assert.equal(report.ultraLow, 2)
  const { edges, counts } = report.histogram
  const filled = counts.flatMap((count, i) => (count > 0 ? [[edges[i], count]] : []))
  assert.deepEqual(filled, [
    [-7, 1],
    [-6.25, 1],
    [-2, 1],
    [-0.25, 1],
  ])
})

test('density says that a sample of a million tokens or fewer cannot show ultra-low densities', () => {
  const report = densityReport([0, 1], 1_000_000)
  assert.equal(report.resolution, 1e-6)
  assert.equal(report.ultraLow, null)
  assert.equal(report.ultraLowFraction, null)
})

test('loss recovered is the share of the ablation damage avoided', () => {
  assert.equal(lossRecovered(2, 3, 6), 0.75)
  assert.equal(lossRecovered(2, 2, 6), 1)
  assert.equal(lossRecovered(2, 7, 6), -0.25)
  assert.equal(lossRecovered(2, 3, 2), null)
})

test('the interval of a ratio matches a hand-computed case', () => {
  // R = 6 / 4; residuals -0.5, 0, 0.5; variance = 3/2 * 0.5 / 16
  const interval = ratioInterval([1, 1.5, 3.5], [1, 1, 2])
  assert.ok(interval)
  const half = 1.96 * Math.sqrt((1.5 * 0.5) / 16)
  assert.equal(interval.value, 1.5)
  assert.ok(Math.abs(interval.high - 1.5 - half) < 1e-12)
  assert.ok(Math.abs(1.5 - interval.low - half) < 1e-12)
  assert.equal(ratioInterval([1], [1]), null)
  assert.equal(ratioInterval([1, 2], [1, -1]), null)
})
