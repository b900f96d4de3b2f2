import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/random/random.js'
import { geometricMedian } from '../../src/sae/geometric-median.js'

function sumOfDistances(points: Float32Array, d: number, y: ArrayLike<number>): number {
  let sum = 0
  for (let start = 0; start < points.length; start += d) {
    let squared = 0
    for (let i = 0; i < d; i++) squared += (points[start + i] - y[i]) ** 2
    sum += Math.sqrt(squared)
  }
  return sum
}

test('no neighbour within reach has a smaller sum of distances than the geometric median', () => {
  const random = new Random(3)
  for (const d of [1, 2, 5]) {
    const points = Float32Array.from({ length: 40 * d }, () => random.normal() ** 3)
    const median = geometricMedian(points, d, { iterations: 2000, tolerance: 1e-9 })
    const best = sumOfDistances(points, d, median)
    for (let trial = 0; trial < 400; trial++) {
      const reach = 10 ** -(trial % 4)
      const other = median.map((value) => value + reach * random.normal())
      assert.ok(sumOfDistances(points, d, other) >= best - 1e-4, `d ${d}, reach ${reach}`)
    }
  }
})

test('the median of a line of points is the middle one, however far the outlier', () => {
  const median = geometricMedian(Float32Array.of(0, 0, 1, 0, 2, 0, 3, 0, 1e6, 0), 2, {
    iterations: 5000,
    tolerance: 0,
  })
  assert.ok(Math.abs(median[0] - 2) < 1e-2 && Math.abs(median[1]) < 1e-6, String(median))
})

test('a point that holds more than half of the weight is the median, although the iterate lands on it', () => {
  const points = Float32Array.of(1, 1, 1, 1, 1, 1, 5, 0, 0, 7)
  const median = geometricMedian(points, 2, { iterations: 1000 })
  assert.ok(Math.hypot(median[0] - 1, median[1] - 1) < 1e-3, String(median))
})

test('starting on a data point that is not the median does not stop the iteration', () => {
  // the mean is (0, 0), itself a point; the median lies with the cluster
  const points = Float32Array.of(0, 0, 1, 0.1, 1, -0.1, 1, 0, 1.2, 0, -4.2, 0)
  const median = geometricMedian(points, 2, { iterations: 1000 })
  assert.ok(median[0] > 0.5, String(median))
})

test('coinciding points, and a single one, are their own median', () => {
  assert.deepEqual(geometricMedian(Float32Array.of(2, 3, 2, 3, 2, 3), 2), Float32Array.of(2, 3))
  assert.deepEqual(geometricMedian(Float32Array.of(4, 5, 6), 3), Float32Array.of(4, 5, 6))
})
