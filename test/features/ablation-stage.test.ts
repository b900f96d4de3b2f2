import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ablationConfigSchema } from '../../src/features/ablation-config.js'
import { readAblation, runAblationStage } from '../../src/features/ablation-stage.js'
import { openFeatureStore } from '../../src/features/feature-store.js'
import { byEffect, renderEffects } from '../../src/features/render-ablation.js'
import { randomArrays, silentArrays } from '../eval/tiny-sae.js'
import { context, features, hookName, smallRun, writeSae } from '../small-run.js'

const config = ablationConfigSchema.parse({ examplesPerFeature: 3, batchTokens: 50 })

test('the stage measures the first examples of each group, and dead features have none', async (t) => {
  const arrays = randomArrays(features, 12)
  arrays.bEnc.fill(-1e6, 5, 6)
  const { root, paths } = await smallRun(t, { arrays })
  const out = join(root, 'ablation')
  await runAblationStage(config, { ...paths, out }, context)
  const ablation = await readAblation(out)
  const store = await openFeatureStore(paths.features)
  t.after(() => store.close())
  assert.deepEqual(ablation.ofFeature(5), [])
  assert.equal(ablation.summary.hookName, hookName)
  assert.equal(ablation.summary.features, ablation.features.length)
  assert.equal(
    ablation.summary.examples,
    ablation.features.reduce((sum, { examples }) => sum + examples, 0),
  )
  const [{ feature }] = await store.list({ sort: 'density', limit: 1 })
  const detail = await store.get(feature)
  const measured = ablation.ofFeature(feature)
  const all = [...detail.top, ...detail.intervals].map(({ interval, rank }) => ({ interval, rank }))
  const chosen = all.toSorted((a, b) => a.rank - b.rank).slice(0, 3)
  assert.deepEqual(
    measured.map(({ interval, rank }) => ({ interval, rank })),
    all.filter((example) => chosen.includes(example)),
  )
  for (const effect of measured) {
    const example = [...detail.top, ...detail.intervals].find(
      ({ interval, rank }) => interval === effect.interval && rank === effect.rank,
    )
    assert.ok(example)
    assert.deepEqual([effect.document, effect.position], [example.document, example.position])
    assert.equal(effect.effects.length, example.tokens.length)
    assert.equal(effect.effects[example.tokenIndex], effect.effect)
    assert.ok(effect.removed >= 1 && effect.effects.some((value) => Math.abs(value ?? 0) > 0))
  }

  await t.test('the same inputs give the same bytes, whatever the batches', async () => {
    const again = { ...config, batchWindows: 2, batchTokens: 7 }
    await runAblationStage(again, { ...paths, out: join(root, 'again') }, context)
    const [a, b] = await Promise.all(
      ['ablation', 'again'].map((name) => readFile(join(root, name, 'ablation.parquet'))),
    )
    assert.ok(a.equals(b))
  })

  await t.test('the list shows the features that are missed most first', async () => {
    const sorted = byEffect(ablation)
    assert.ok(sorted.every(({ meanTotal }, i) => i === 0 || meanTotal >= sorted[i - 1].meanTotal))
    const first = sorted.slice(0, 2)
    const details = new Map(
      await Promise.all(first.map(async ({ feature }) => [feature, await store.get(feature)] as const)),
    )
    const options = { tokenizer: store.tokenizer, color: false, width: 90 }
    const lines = renderEffects(first, ablation, details, options).split('\n')
    assert.equal(lines.length, 4)
    assert.match(lines[0], /^feature .* text +predicted$/)
    assert.match(lines[2], new RegExp(`^ *${first[0].feature} .*«.+\\|[\\d.]+»`))
  })

  await t.test('features of another autoencoder, model or corpus are refused', async () => {
    const sae = join(root, 'other-sae')
    await writeSae(sae, randomArrays(features, 12, 2))
    const refused = (other: object, expected: object) =>
      assert.rejects(
        runAblationStage(config, { ...paths, ...other, out: join(root, 'x') }, context),
        expected,
      )
    await refused({ sae }, { code: 'config', message: /was not made from the sae/ })
    await refused({ model: paths.sae }, { code: 'config', message: /was not made from the model/ })
    await refused({ corpus: paths.model }, { code: 'config', message: /was not made from the corpus/ })
    await refused({ features: paths.sae }, { code: 'missing' })
    await refused({ sae: join(root, 'nowhere') }, { code: 'missing' })
    await assert.rejects(readAblation(paths.features), { code: 'missing' })
  })

  await t.test('a directory with a changed file is refused', async () => {
    const path = join(root, 'again', 'ablation.parquet')
    const bytes = await readFile(path)
    bytes[bytes.length >> 1] ^= 1
    await writeFile(path, bytes)
    await assert.rejects(readAblation(join(root, 'again')), { code: 'corrupt' })
  })

  await t.test('interrupting it leaves no finished directory', async () => {
    const stopped = { ...context, signal: AbortSignal.abort() }
    const at = { ...paths, out: join(root, 'stopped') }
    await assert.rejects(runAblationStage(config, at, stopped), { code: 'interrupted' })
    await assert.rejects(readAblation(at.out), { code: 'missing' })
  })
})

test('an autoencoder without a live feature has no effects', async (t) => {
  const { root, paths } = await smallRun(t, { arrays: silentArrays(5, new Float32Array(12)) })
  const out = join(root, 'ablation')
  await runAblationStage(config, { ...paths, out }, context)
  const { summary, features: measured } = await readAblation(out)
  assert.deepEqual(measured, [])
  assert.deepEqual([summary.examples, summary.meanTotal, summary.helpful], [0, null, null])
})
