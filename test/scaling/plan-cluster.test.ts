import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { type CommReport, commKinds } from '../../src/scaling/comm-model.js'
import { type PlanInputs, planCluster, stepFlops, updateBytes } from '../../src/scaling/plan-cluster.js'
import { type PlanConfig, planConfigSchema } from '../../src/scaling/plan-config.js'
import { rankSpeed } from '../../src/scaling/rank-speed.js'
import { renderPlan } from '../../src/scaling/render-plan.js'
import {
  activeFeatures,
  auxKExchanges,
  exchangeTime,
  type RankStep,
  sentBytes,
  stepExchanges,
} from '../../src/scaling/step-exchanges.js'

const step: RankStep = {
  ...{ architecture: 'topk', d: 10, features: 100, k: 4, batchSize: 400 },
  ...{ featureRanks: 1, dataRanks: 1, gradients: 'f32' },
}

const config = (given: Record<string, unknown>): PlanConfig =>
  planConfigSchema.parse({ features: '100', d: '10', k: 4, batchSize: 400, tokens: '1000', ...given })

/** Every message costs 1 ms, every byte 1 us. */
const comm: CommReport = {
  ...{ kind: 'monosem bench comm', machine: 'a machine', library: 'a library', ranks: 2, ranksPerNode: 1 },
  exchanges: Object.fromEntries(
    commKinds.map((kind) => [kind, { secondsPerRound: 1e-3, secondsPerByte: 1e-6, worst: 0, points: [] }]),
  ) as unknown as CommReport['exchanges'],
}
const inputs: PlanInputs = {
  nodeBytes: 1e9,
  speed: { threads: 2, flopsPerThread: 1e6, memoryBandwidth: 1e6 },
  comm,
}

test('bytes of a step, by hand: one rank sends nothing', () => {
  assert.deepEqual(stepExchanges(step), [])
  assert.equal(sentBytes([]).total, 0)
})

test('bytes of a step, by hand: features over 4 ranks', () => {
  const sent = sentBytes(stepExchanges({ ...step, featureRanks: 4 }))
  // 400 tokens: 4 candidates of 8 bytes and a threshold of 8, of which 3/4 go to others
  assert.equal(sent.candidates, 0.75 * 400 * (4 * 8 + 8))
  assert.equal(sent.reconstructions, 2 * 0.75 * 400 * 10 * 4)
  assert.equal(sent.gradients, 0)
  assert.equal(sent.statistics, 2 * 0.75 * (40 + 4 * 8))
  const { total, ...parts } = sent
  assert.equal(
    total,
    Object.values(parts).reduce((a, b) => a + b),
  )
})

test('bytes of a step, by hand: other architectures', () => {
  const over2 = (architecture: string, more: Partial<RankStep> = {}) =>
    sentBytes(stepExchanges({ ...step, architecture, featureRanks: 2, ...more }))
  assert.equal(over2('relu').candidates, 0)
  assert.equal(over2('relu').reconstructions, 400 * 10 * 4)
  // three histograms of doubles
  assert.equal(over2('batchtopk').candidates, 4096 * 8)
  assert.equal(over2('matryoshka', { prefixes: 5 }).reconstructions, 5 * 400 * 10 * 4)
  assert.equal(over2('gated').reconstructions, 2 * 400 * 10 * 4)
  assert.equal(
    sentBytes(auxKExchanges({ ...step, featureRanks: 2 }, 16)).total,
    0.5 * 400 * 17 * 8 + 400 * 10 * 4,
  )
  assert.deepEqual(auxKExchanges(step, 16), [])
})

test('bytes of a step, by hand: 2 replicas of a step whose features are all active', () => {
  const replicas: RankStep = { ...step, k: 100, dataRanks: 2 }
  assert.equal(activeFeatures(replicas), 100)
  // a bit for each feature, rows of W_enc and W_dec, and 9 doubles
  assert.equal(sentBytes(stepExchanges(replicas)).gradients, 100 / 8 + 100 * 20 * 4 + 100 * 72)
  const bf16 = sentBytes(stepExchanges({ ...replicas, gradients: 'bf16' }))
  assert.equal(bf16.gradients, 100 / 8 + 100 * 20 * 2 + 100 * 72)
  const clipped = sentBytes(stepExchanges({ ...replicas, architecture: 'relu-norm' }))
  assert.equal(clipped.gradients, 100 / 8 + 2 * (100 * 20 * 4 + 100 * 72))
})

test('of many features only those that are active on some token cross', () => {
  // 1 - (1 - 1/100)^100 of 100 features
  const few = activeFeatures({ ...step, k: 1, batchSize: 100, dataRanks: 2 })
  assert.ok(Math.abs(few - 100 * (1 - 0.99 ** 100)) < 1e-9)
  // 34M features, 4096 x 64 pairs: never more features than pairs
  const many = activeFeatures({ ...step, features: 34e6, k: 64, batchSize: 4096, featureRanks: 2 })
  assert.ok(many < 131_072 && many > 130_000, String(many))
})

test('time of exchanges, by hand: what messages cost, and what bytes cost', () => {
  const { latency, transfer } = exchangeTime(
    [{ what: 'reconstructions', kind: 'sum', ranks: 4, bytes: 1000, times: 2 }],
    comm,
  )
  assert.ok(Math.abs(latency - 2 * 6 * 1e-3) < 1e-12)
  assert.ok(Math.abs(transfer - 2 * 1500 * 1e-6) < 1e-12)
})

test('memory of a rank, by hand', () => {
  const { chosen } = planCluster(config({ ranksPerNode: 4, featureRanks: 2, bufferTokens: 1000 }), inputs)
  const { memory } = chosen
  assert.deepEqual([chosen.features, chosen.rows], [50, 200])
  assert.equal(memory.parameters, 4 * (2 * 10 * 50 + 50 + 10))
  assert.equal(memory.moments, 2 * memory.parameters)
  assert.equal(memory.packed, 2 * 10 * 50)
  assert.equal(memory.buffer, 1000 * 10 * 2)
  assert.equal(memory.batches, 4 * 200 * 10 * 5 + 16 * 200 * 4)
  // the other replica's 200 rows, three times
  assert.equal(memory.otherRows, 3 * 4 * 10 * 200)
  assert.equal(memory.candidates, 3 * 8 * 200 * 5)
  // a sum of 200 x 10 numbers over 2 ranks, gradients of 50 features of 2 x 10 numbers and their sum over 2
  assert.equal(memory.exchange, 4 * 2000 * 1.5 + 4 * 1000 + 4 * 1000 * 1.5)
  assert.equal(memory.peak, memory.total + 3 * memory.parameters)
})

test('time of a step and of the training, by hand', () => {
  const { chosen, steps } = planCluster(config({ nodes: 2, featureRanks: 2 }), inputs)
  // each token: 2 x 10 x 50 to encode, 8 x 10 x 2 for its active pairs
  assert.equal(stepFlops(config({}), { ...step, featureRanks: 2 }), 400 * (1000 + 160))
  assert.equal(updateBytes(10, 50), 500 * 50)
  assert.ok(Math.abs(chosen.step!.arithmetic - (400 * 1160) / 2e6) < 1e-12)
  assert.ok(Math.abs(chosen.step!.memory - 0.025) < 1e-12)
  // candidates: all to all and all gather; sums of reconstructions, b_dec's gradient and 4 small ones: 2 rounds each
  assert.ok(Math.abs(chosen.step!.latency! - (2 + 2 * 6) * 1e-3) < 1e-12)
  assert.ok(Math.abs(chosen.step!.transfer! - chosen.sent.total * 1e-6) < 1e-12)
  const { arithmetic, memory, latency, transfer, total } = chosen.step!
  assert.equal(total, arithmetic + memory + latency! + transfer!)
  assert.equal(steps, 3)
  assert.equal(chosen.seconds, 3 * total)
  assert.equal(chosen.limit, 'arithmetic')
  const alone = (400 * (2000 + 320)) / 2e6 + 0.05
  assert.ok(Math.abs(chosen.efficiency! - alone / (2 * total)) < 1e-9)
})

test('the fastest arrangement that fits is chosen, or the one that was asked for', () => {
  const all = planCluster(config({ nodes: 4 }), inputs)
  assert.deepEqual(
    all.meshes.map(({ featureRanks, dataRanks }) => [featureRanks, dataRanks]),
    [
      [1, 4],
      [2, 2],
      [4, 1],
    ],
  )
  const fastest = Math.min(...all.meshes.map(({ step }) => step!.total))
  assert.equal(all.chosen.step!.total, fastest)
  assert.equal(planCluster(config({ nodes: 4, dataRanks: 4 }), inputs).chosen.featureRanks, 1)
  assert.throws(() => planCluster(config({ nodes: 4, featureRanks: 3 }), inputs), /4 ranks.*got 3 x any/)
  assert.throws(() => planCluster(config({ nodes: 4, featureRanks: 4, dataRanks: 2 }), inputs), /got 4 x 2/)
  // without times the least is sent, as long as it fits
  const untimed = { ...inputs, speed: null }
  const bySent = [...all.meshes].sort((a, b) => a.sent.total - b.sent.total)
  assert.equal(planCluster(config({ nodes: 4 }), untimed).chosen.featureRanks, bySent[0].featureRanks)
  const bySize = [...all.meshes].sort((a, b) => a.memory.peak - b.memory.peak)
  const tight = { ...inputs, nodeBytes: bySize[0].memory.peak }
  assert.equal(planCluster(config({ nodes: 4 }), tight).chosen.featureRanks, bySize[0].featureRanks)
  assert.notEqual(bySize[0].featureRanks, all.chosen.featureRanks)
  const none = planCluster(config({ nodes: 4 }), { ...inputs, nodeBytes: 1000 })
  assert.equal(none.chosen.fits, false)
  assert.match(renderPlan(none), /NO arrangement fits in memory/)
})

test('the plan says what it does not know', () => {
  const plan = planCluster(config({ nodes: 3 }), { nodeBytes: 1e9, speed: null, comm: null })
  assert.equal(plan.chosen.seconds, null)
  const text = renderPlan(plan)
  assert.match(text, /speed of a rank: not known/)
  assert.match(text, /WARNING: no times/)
  assert.match(text, /bench comm/)
  assert.doesNotMatch(text, /a step takes/)
  const known = renderPlan(planCluster(config({ nodes: 3 }), inputs))
  assert.match(known, /100 features over 3 ranks: some have one more/)
  assert.match(known, /the limit is the/)
  assert.match(
    renderPlan(planCluster(config({ ranksPerNode: 2 }), inputs)),
    /with 1 ranks on a machine, not 2/,
  )
})

test('what is given is not measured, and the rest is', async () => {
  const kernels = createReferenceKernels()
  const threads = { probe: 1, rank: 16 }
  const given = config({ flopsPerThread: 5, memoryBandwidth: 7 })
  assert.deepEqual(await rankSpeed(kernels, given, threads), {
    ...{ threads: 16, flopsPerThread: 5, memoryBandwidth: 7 },
  })
  const measured = await rankSpeed(kernels, config({ memoryBandwidth: 1e9, batchSize: 8 }), threads)
  assert.equal(measured.threads, 16)
  assert.ok(measured.flopsPerThread > 0)
})
