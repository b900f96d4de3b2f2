import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoSchema, quickOverrides, stageConfigs, stageSchemas } from '../../src/cli/demo-config.js'
import { resolveSaeConfig } from '../../src/sae/resolve-config.js'
import type { SaeConfig } from '../../src/sae/sae-config.js'

const resolve = (given: Record<string, unknown>) => stageConfigs(demoSchema.parse(given), given)

test('without options every stage has its own defaults', () => {
  const configs = resolve({})
  for (const [stage, schema] of Object.entries(stageSchemas))
    assert.deepEqual(configs[stage as keyof typeof configs], schema.parse({}), stage)
})

test('--seed reaches every stage that has one', () => {
  const configs = resolve({ seed: 7 })
  for (const config of [configs.corpus, configs.model, configs.sae, configs.features])
    assert.equal(config.seed, 7)
})

test('--quick changes what it says, a flag beats it, and --set beats both', () => {
  assert.equal(resolve({ quick: true }).sae.features, quickOverrides.sae?.features)
  assert.equal(resolve({ quick: true, features: 99 }).sae.features, 99)
  const configs = resolve({ quick: true, features: 99, set: ['sae.features=64', 'model.layers=2'] })
  assert.equal(configs.sae.features, 64)
  assert.equal(configs.model.layers, 2)
  assert.equal(configs.model.trainTokens, quickOverrides.model?.trainTokens)
})

test('an expansion takes the place of the number of features that --quick would set', () => {
  const { sae } = resolve({ quick: true, set: ['sae.expansion=4'] })
  assert.deepEqual([sae.expansion, sae.features], [4, undefined])
  assert.equal(sae.trainTokens, quickOverrides.sae?.trainTokens)
})

test('--quick makes every stage smaller, never larger', () => {
  for (const [stage, overrides] of Object.entries(quickOverrides)) {
    const parsed = stageSchemas[stage as keyof typeof stageSchemas].parse({})
    const defaults = (stage === 'sae' ? resolveSaeConfig(parsed as SaeConfig, 512) : parsed) as Record<
      string,
      unknown
    >
    for (const [name, value] of Object.entries(overrides))
      assert.ok((value as number) <= (defaults[name] as number), `${stage}.${name}`)
  }
})

test('--text, --field and --skip-bad reach the corpus; --architecture and --k the autoencoder', () => {
  const configs = resolve({ text: ['*.md'], field: 'body', skipBad: true, architecture: 'topk', k: 8 })
  assert.deepEqual(
    [configs.corpus.text, configs.corpus.field, configs.corpus.skipBad],
    [['*.md'], 'body', true],
  )
  assert.deepEqual([configs.sae.architecture, configs.sae.k], ['topk', 8])
})

test('a bad value is named as it was written', () => {
  assert.throws(() => resolve({ set: ['model.layers=0'] }), {
    code: 'config',
    message: /^--set model\.layers: expected number to be >=1, got 0/,
  })
  assert.throws(() => stageConfigs(demoSchema.parse({}), { k: 0 }), {
    code: 'config',
    message: /^--k: expected/,
  })
  assert.throws(() => resolve({ set: ['model.layer=1'] }), {
    code: 'config',
    hint: /options of model: layers/,
  })
})
