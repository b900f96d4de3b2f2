import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planJobs } from '../../src/scaling/plan-jobs.js'
import { type ScalingConfig, scalingConfigSchema } from '../../src/scaling/scaling-config.js'

const plan = (values: Record<string, unknown>, d = 100) =>
  planJobs(scalingConfigSchema.parse({ batchSize: 10, ...values }) as ScalingConfig, d)

test('a budget gives each size the steps that use it up', () => {
  // a step of 10 tokens takes 10 x 10 x 100 F = 10,000 F
  const { jobs, leftOut } = plan({ features: [32, 64, 128], budgets: [6.4e7, 1.28e8], minimumSteps: 60 })
  assert.deepEqual(
    jobs.map(({ features, steps, compute }) => [features, steps, compute]),
    [
      [64, 100, 6.4e7],
      [128, 100, 1.28e8],
      [32, 200, 6.4e7],
      [64, 200, 1.28e8],
      [32, 400, 1.28e8],
    ],
  )
  assert.deepEqual(leftOut, ['128 features for 50 steps (< 60)'])
  assert.equal(plan({ features: [32], budgets: [1.28e8, 1.28e9], maximumSteps: 1000 }).jobs.length, 1)
})

test('a grid of steps, sparsities and seeds; all read one stream', () => {
  const { jobs } = plan({ features: [64], steps: [100, 200], sparsities: [8, 16], seeds: [0, 1] })
  assert.equal(jobs.length, 8)
  assert.equal(new Set(jobs.map(({ name }) => name)).size, 8)
  assert.deepEqual([...new Set(jobs.map(({ sae }) => sae.streamSeed))], [0])
  assert.deepEqual([...new Set(jobs.map(({ sae }) => sae.k))].sort(), [16, 8])
})

test('the sparsity is the weight of the penalty where there is one', () => {
  const [job] = plan({ architecture: 'relu-norm', features: [64], steps: [100], sparsities: [7] }).jobs
  assert.equal(job.sae.l1Coefficient, 7)
  assert.match(job.name, /lambda-7/)
  assert.equal(
    plan({ architecture: 'jumprelu', features: [64], steps: [100] }).jobs[0].sae.l0Coefficient,
    0.2,
  )
})

test('the learning rate falls with a power of the size', () => {
  const { jobs } = plan({ features: [1024, 4096], steps: [100], learningRate: 1e-3, learningRatePower: 0.5 })
  assert.deepEqual(
    jobs.map(({ sae }) => sae.learningRate),
    [2e-3, 1e-3],
  )
})

test('plans that make no sense are refused', () => {
  const refuses = (values: Record<string, unknown>, message: RegExp) =>
    assert.throws(() => plan(values), { code: 'config', message })
  refuses({}, /expected budgets or steps, got neither/)
  refuses({ budgets: [1e9], steps: [100] }, /got both/)
  refuses({ features: [16], steps: [100] }, /16 features with k = 32/)
  refuses({ budgets: [1], features: [64] }, /nothing is left to train/)
  refuses({ features: [64], steps: [100], sparsities: [2.5] }, /k/)
  assert.throws(() => scalingConfigSchema.parse({ features: [64, 32] }), /ascending/)
})
