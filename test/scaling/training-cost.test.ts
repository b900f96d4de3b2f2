import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { saeConfigSchema } from '../../src/sae/sae-config.js'
import { costConfigSchema } from '../../src/scaling/cost-config.js'
import { estimateCost } from '../../src/scaling/estimate-cost.js'
import { formatCount, parseCount } from '../../src/scaling/figures.js'
import { ranksFor, splitOverRanks } from '../../src/scaling/rank-split.js'
import { renderCost } from '../../src/scaling/render-cost.js'
import { probeSteps } from '../../src/scaling/step-probe.js'
import {
  type TrainingShape,
  tokenFlops,
  trainingDisk,
  trainingMemory,
} from '../../src/scaling/training-cost.js'

const shape: TrainingShape = {
  ...{ d: 10, features: 100, active: 4, batchSize: 50, bufferTokens: 1000 },
  precision: 'bf16',
  bufferBytes: 2,
}

test('operations, memory and disk of a small shape, by hand', () => {
  // dense: 5 products of 2 x 10 x 100; ours: one, 4 products of 2 x 10 x 4, and 12 x 2000 / 50 of Adam
  assert.deepEqual(tokenFlops(shape), { dense: 10_000, sparse: 2000 + 320 + 480 })
  const memory = trainingMemory(shape)
  assert.equal(memory.parameters, 4 * (2000 + 100 + 10))
  assert.equal(memory.moments, 2 * memory.parameters)
  assert.equal(memory.packed, 2 * 1000)
  assert.equal(memory.buffer, 1000 * 10 * 2)
  assert.equal(memory.batches, 4 * 50 * 10 * 5 + 16 * 50 * 4)
  assert.equal(memory.total, 8440 + 16_880 + 2000 + 20_000 + 13_200)
  assert.equal(memory.checkpoint, 3 * memory.parameters)
  assert.equal(trainingDisk(shape, 1e6, 2).activations, 1e6 * 32)
})

test('features split over ranks: shares, bytes exchanged, and the fewest ranks that fit', () => {
  const split = splitOverRanks(shape, 4, true)
  assert.equal(split.features, 25)
  assert.equal(split.parameters, 2 * 10 * 25 + 25 + 10)
  // 3 / 4 of it goes to others: twice the reconstructions, b_dec's gradient and 4 doubles; 50 tokens with 4 candidates and a threshold of 8 bytes
  assert.equal(split.bytesPerStep, 1.5 * (4 * 50 * 10 + 40 + 32) + 0.75 * 50 * 5 * 8)
  assert.ok(split.dataParallelBytesPerStep > 1.4 * 8 * 10 * 100 * 0.8)
  assert.equal(splitOverRanks(shape, 1, true).bytesPerStep, 0)
  const one = trainingMemory(shape)
  assert.equal(ranksFor(shape, one.total + one.checkpoint, true)?.ranks, 1)
  assert.equal(ranksFor(shape, one.total + one.checkpoint - 1, true)?.ranks, 2)
  assert.equal(ranksFor(shape, 10, true), null)
})

test('counts are read and written as people write them', () => {
  for (const [text, value] of [
    ['34M', 34e6],
    ['8B', 8e9],
    ['4096', 4096],
    ['65_536', 65_536],
    ['1.5k', 1500],
    ['1e6', 1e6],
  ] as const)
    assert.equal(parseCount(text), value)
  for (const text of ['', 'M', '-3', '4 x', '1Q']) assert.ok(Number.isNaN(parseCount(text)), text)
  assert.deepEqual([999, 1000, 4100, 34e6, 8e9].map(formatCount), ['999', '1k', '4.1k', '34M', '8B'])
})

test('a timed step has the number of active features that was asked for, and its time grows with the size', async () => {
  const kernels = createReferenceKernels()
  for (const architecture of ['topk', 'relu', 'jumprelu', 'gated', 'jumprelu-tanh'] as const) {
    const l0: number[] = []
    const watched = {
      ...kernels,
      saeStep: async (...step: Parameters<typeof kernels.saeStep>) => {
        const stats = await kernels.saeStep(...step)
        l0.push(stats.l0)
        return stats
      },
    }
    const config = saeConfigSchema.parse({ architecture, batchSize: 64 })
    const time = await probeSteps(watched, { config, d: 16, active: 6, sizes: [64, 128] })
    for (const found of l0) assert.ok(found > 3 && found < 10, `${architecture}: L0 ${found}`)
    assert.ok(time.perFeature > 0 && time.fixed >= 0)
  }
})

test('an estimate says what is extrapolated, and fits 100 columns', async () => {
  const config = costConfigSchema.parse({
    d: '16',
    features: ['64', '34M'],
    tokens: '1M',
    batchSize: 32,
    probeMb: 0.00512,
  })
  const estimate = await estimateCost(createReferenceKernels(), config, 2 ** 30)
  const [small, large] = estimate.sizes
  assert.ok(Number(small.seconds) > 0 && Number(large.seconds) > 1000 * Number(small.seconds))
  assert.equal(small.beyondProbe, 0.8)
  assert.ok(Number(large.split?.ranks) > 1 && small.split?.ranks === 1)
  const text = renderCost(estimate)
  assert.match(text, /extrapolated .* no measurement/)
  for (const line of text.split('\n')) assert.ok(line.length <= 100, line)
  const { sizes } = await estimateCost(createReferenceKernels(), { ...config, probe: false }, 2 ** 30)
  assert.equal(sizes[0].seconds, null)
  assert.throws(() => costConfigSchema.parse({ features: ['many'] }))
})
