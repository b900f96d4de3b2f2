import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createLogitShapes,
  keepShape,
  logitBins,
  logitStatisticsOf,
} from '../../src/features/logit-statistics.js'
import { Random } from '../../src/random/random.js'

test('moments and histogram agree with their definitions', () => {
  const random = Random.named(2, 'logits')
  const raw = Array.from({ length: 3000 }, () => Math.exp(random.normal()))
  const shift = raw.reduce((a, b) => a + b) / 3000
  const weights = Float32Array.from(raw, (weight) => weight - shift)
  const shapes = createLogitShapes(2, 3000)
  keepShape(shapes, 1, weights)
  const mean = weights.reduce((a, b) => a + b, 0) / 3000
  const moment = (power: number) => weights.reduce((sum, w) => sum + (w - mean) ** power, 0) / 3000
  const deviation = Math.sqrt(moment(2))
  const found = logitStatisticsOf(shapes, 1)
  assert.ok(Math.abs(found.mean) < 1e-6)
  assert.ok(Math.abs(found.standardDeviation / deviation - 1) < 1e-9)
  assert.ok(Math.abs(found.skewness / (moment(3) / deviation ** 3) - 1) < 1e-6)
  assert.ok(Math.abs(found.kurtosis / (moment(4) / deviation ** 4) - 1) < 1e-6)
  const [low, high] = [Math.min(...weights), Math.max(...weights)]
  assert.deepEqual([shapes.low[1], shapes.high[1]], [low, high])
  const counts = new Array(logitBins).fill(0)
  for (const weight of weights)
    counts[Math.min(logitBins - 1, Math.floor(((weight - low) / (high - low)) * logitBins))]++
  const kept = Array.from(shapes.counts.subarray(logitBins, 2 * logitBins))
  assert.equal(
    kept.reduce((a, b) => a + b),
    3000,
  )
  // a weight on the border of two bins may fall on either side
  assert.ok(kept.every((count, bin) => Math.abs(count - counts[bin]) <= 1))
})

test('a coin has no skewness and kurtosis 1; weights that do not vary have neither', () => {
  const shapes = createLogitShapes(2, 4)
  keepShape(shapes, 0, Float32Array.of(-1, 1, 1, -1))
  assert.deepEqual(logitStatisticsOf(shapes, 0), { mean: 0, standardDeviation: 1, skewness: 0, kurtosis: 1 })
  keepShape(shapes, 1, new Float32Array(4))
  assert.deepEqual(logitStatisticsOf(shapes, 1), { mean: 0, standardDeviation: 0, skewness: 0, kurtosis: 0 })
  assert.equal(shapes.counts[logitBins], 4)
})
