import assert from 'node:assert/strict'
import { test } from 'node:test'
import { densityReport } from '../../src/eval/density.js'
import { lossRecovered } from '../../src/eval/loss-recovered.js'
import { ratioInterval } from '../../src/eval/ratio-interval.js'
import { activationSums, activeFeatures, countFires } from '../../src/eval/sparsity.js'
import {
  addToVarianceSums,
  columnMeans,
  createVarianceSums,
  explainedVariance,
  totalVariance,
} from '../../src/sae/explained-variance.js'

test('explained variance of a hand-computed case: mean (2, 2), centre (1, 0), deviation 16, squared error 2', () => {
  // y = (0, 2), (2, 0), (4, 2), (2, 4): about (1, 0) they are 1 + 4, 1 + 0, 9 + 4, 1 + 16 away
  const sums = { count: 4, shift: Float64Array.of(4, 8), deviation: 36, squaredError: 2 }
  assert.equal(totalVariance(sums), 16)
  assert.equal(explainedVariance(sums), 1 - 2 / 16)
})

test('variance sums over batches, with a mean of 10,000: deviations (1, 1) + (1, 1) + (9, 0) + ... about the mean', () => {
  // columns 1e4 + (-1, 1, 3, -3) and 1e4 + (1, -1, 0, 0): means 1e4, squares 1 + 1 + 9 + 9 and 1 + 1
  const first = Float32Array.of(9999, 10_001, 10_001, 9999)
  const second = Float32Array.of(10_003, 10_000, 9997, 10_000)
  const sums = createVarianceSums(2)
  const centre = columnMeans(first, 2)
  assert.deepEqual(Array.from(centre), [10_000, 10_000])
  addToVarianceSums(sums, first, 1, centre)
  addToVarianceSums(sums, second, 1.2, centre)
  assert.equal(totalVariance(sums), 22)
  assert.equal(explainedVariance(sums), 1 - 2.2 / 22)
})

test('explained variance of activations that do not vary is null', () => {
  assert.equal(explainedVariance(createVarianceSums(1)), null)
  // 3 and 3 about 1
  assert.equal(
    explainedVariance({ count: 2, shift: Float64Array.of(4), deviation: 8, squaredError: 1 }),
    null,
  )
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
  assert.equal(report.deadBelow, 3e-7)
  // 10,000,000 of 10,000,000
  assert.equal(report.dense, 1)
  assert.equal(report.denseFraction, 0.2)
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
  // 24 documents: R = 8 * 6 / (8 * 4); residuals -0.5, 0, 0.5; variance = 24/23 * 8 * 0.5 / 32^2
  const times8 = (values: number[]) => Array.from({ length: 8 }, () => values).flat()
  const found = ratioInterval(times8([1, 1.5, 3.5]), times8([1, 1, 2]))
  assert.ok(found?.interval)
  const half = 1.96 * Math.sqrt(((24 / 23) * 4) / 32 ** 2)
  assert.equal(found.value, 1.5)
  assert.ok(Math.abs(found.interval[1] - 1.5 - half) < 1e-12)
  assert.ok(Math.abs(1.5 - found.interval[0] - half) < 1e-12)
})

test('a ratio over too few documents has no interval, and one over nothing no value', () => {
  assert.deepEqual(ratioInterval([1, 2], [1, 1]), { value: 1.5, interval: null })
  assert.equal(ratioInterval([1, 2], [1, -1]), null)
})
