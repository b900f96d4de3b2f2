import assert from 'node:assert/strict'
import { test } from 'node:test'
import { architectures } from '../../src/sae/architectures/index.js'
import { resolveSaeConfig } from '../../src/sae/resolve-config.js'
import { architectureNames, saeConfigSchema } from '../../src/sae/sae-config.js'

const resolve = (values: object, d = 64) => resolveSaeConfig(saeConfigSchema.parse(values), d)

test('without options the configuration is that of the first release', () => {
  const config = resolve({})
  assert.equal(config.architecture, 'relu')
  assert.equal(config.features, 4096)
  assert.equal(config.l1Coefficient, 3.5)
  assert.equal(config.learningRate, 1e-3)
  assert.equal(config.warmupFraction, 0.02)
  assert.equal(config.decayFraction, 0.2)
  assert.equal(config.sparsityWarmupFraction, 0.05)
  assert.equal(config.deadFeatures, 'resample')
  assert.equal(config.gradientClip, 0)
  assert.equal(config.emaDecay, 0)
  assert.equal(config.targetHookName, config.hookName)
})

test('every architecture has its own defaults, and what was given wins', () => {
  assert.equal(resolve({ architecture: 'relu-norm' }).l1Coefficient, 5)
  assert.equal(resolve({ architecture: 'relu-norm' }).gradientClip, 1)
  assert.equal(resolve({ architecture: 'relu-norm', l1Coefficient: 0.5, gradientClip: 0 }).gradientClip, 0)
  assert.equal(resolve({ architecture: 'topk' }).deadFeatures, 'auxk')
  assert.equal(resolve({ architecture: 'gated' }).deadFeatures, 'resample')
  const tanh = resolve({ architecture: 'jumprelu-tanh' })
  assert.deepEqual(
    [tanh.l0Coefficient, tanh.tanhScale, tanh.preActCoefficient, tanh.bandwidth, tanh.initialThreshold],
    [5, 4, 3e-6, 2, 0.1],
  )
  assert.equal(tanh.sparsityWarmupFraction, 1)
})

test('the coefficients of jumprelu grow with the width, as the activations do', () => {
  const [narrow, wide] = [64, 256].map((d) => resolve({ architecture: 'jumprelu' }, d))
  assert.ok(Math.abs(wide.bandwidth / narrow.bandwidth - 2) < 1e-12)
  assert.ok(Math.abs(wide.initialThreshold / narrow.initialThreshold - 2) < 1e-12)
  assert.ok(Math.abs(wide.l0Coefficient / narrow.l0Coefficient - 4) < 1e-12)
})

test('a resolved configuration has a value for every field but expansion, and resolves to itself', () => {
  for (const architecture of architectureNames) {
    const config = resolve({ architecture, expansion: 2 })
    assert.equal(config.features, 128)
    const missing = Object.keys(saeConfigSchema.shape).filter((name) => !(name in config))
    assert.deepEqual(missing, ['expansion'], architecture)
    assert.deepEqual(resolve(config), config, architecture)
    assert.deepEqual(JSON.parse(JSON.stringify(config)), config, architecture)
  }
  assert.deepEqual(Object.keys(architectures), [...architectureNames])
})

test('a frozen decoder is not resampled: dead features are left alone, or trained by auxk', () => {
  for (const architecture of architectureNames) {
    const { deadFeatures } = resolve({ architecture, freezeDecoder: true })
    const byCount = ['topk', 'batchtopk', 'matryoshka'].includes(architecture)
    assert.equal(deadFeatures, byCount ? 'auxk' : 'none', architecture)
    assert.throws(() => resolve({ architecture, freezeDecoder: true, deadFeatures: 'resample' }), {
      code: 'config',
      message: /dead features of a frozen decoder .* got resample/,
    })
  }
})

test('expansion stands for a multiple of the width, and excludes a number of features', () => {
  assert.equal(resolve({ expansion: 1.5 }, 10).features, 15)
  assert.equal(resolve({ expansion: 256 }, 8).features, 2048)
  assert.throws(() => resolve({ expansion: 8, features: 512 }), {
    code: 'config',
    message: /expected features or expansion, got both: 512 and 8/,
  })
  assert.throws(() => saeConfigSchema.parse({ expansion: 0.5 }))
  assert.throws(() => saeConfigSchema.parse({ expansion: 257 }))
})

test('prefixes are shares or counts; they ascend and end with the whole dictionary', () => {
  const prefixes = (values: object) =>
    resolve({ architecture: 'matryoshka', features: 64, ...values }).prefixes
  assert.deepEqual(prefixes({}), [4, 8, 16, 32, 64])
  assert.deepEqual(prefixes({ prefixes: [0.5, 0.25] }), [16, 32, 64])
  assert.deepEqual(prefixes({ prefixes: [10, 20] }), [10, 20, 64])
  assert.throws(() => prefixes({ prefixes: [10, 65] }), {
    code: 'config',
    message: /shares, or whole numbers up to 64, got 10 65/,
  })
  assert.throws(() => prefixes({ prefixes: [0.5, 2] }), { code: 'config' })
})

test('options that make no sense beside others are refused', () => {
  for (const architecture of ['topk', 'batchtopk', 'matryoshka'])
    assert.throws(() => resolve({ architecture, features: 16, k: 17 }), {
      code: 'config',
      message: /expected k of at most 16, the number of features, got 17/,
    })
  assert.equal(resolve({ features: 16, k: 17 }).k, 17, 'relu has no k')
  assert.throws(() => resolve({ architecture: 'gated', deadFeatures: 'auxk' }), {
    code: 'config',
    message: /gated to be resampled or left alone, got auxk/,
  })
  assert.throws(() => resolve({ skip: true }), { code: 'config', hint: /--target-hook-name/ })
  assert.equal(resolve({ skip: true, targetHookName: 'blocks.0.hook_mlp_out' }).skip, true)
})

test('single values out of range are refused by the schema', () => {
  for (const bad of [
    { k: 0 },
    { l1Coefficient: -1 },
    { l0Coefficient: -0.1 },
    { bandwidth: 0 },
    { features: 0 },
    { batchSize: 1.5 },
    { emaDecay: 1 },
    { precision: 'fp16' },
    { architecture: 'vanilla' },
    { prefixes: [] },
  ])
    assert.equal(saeConfigSchema.safeParse(bad).success, false, JSON.stringify(bad))
})
