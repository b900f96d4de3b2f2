import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCorpus } from '../../src/corpus/corpus.js'
import { evalConfigSchema } from '../../src/eval/eval-config.js'
import { readEvalReport, runEvalStage } from '../../src/eval/eval-stage.js'
import { openFeatureStore } from '../../src/features/feature-store.js'
import { featuresConfigSchema } from '../../src/features/features-config.js'
import { runFeaturesStage } from '../../src/features/features-stage.js'
import { readCaseStudies, runCaseStudiesStage } from '../../src/interp/case-studies.js'
import { caseStudiesConfigSchema } from '../../src/interp/case-studies-config.js'
import { silentArrays } from '../eval/tiny-sae.js'
import { context, features, smallConfig, smallRun } from '../small-run.js'

test('eval, features and case studies run from finished directories and are read back', async (t) => {
  const { root, inputs: paths } = await smallRun(t, { collect: false })
  const evaluation = await runEvalStage(
    evalConfigSchema.parse({}),
    { ...paths, out: join(root, 'eval') },
    context,
  )
  const report = await readEvalReport(evaluation.directory)
  assert.equal(report.features, features)
  assert.ok(report.tokens > 100 && report.losses.clean > 0)

  const studies = await runCaseStudiesStage(
    caseStudiesConfigSchema.parse({ names: ['arabic', 'dna'], minPositives: 1 }),
    { ...paths, out: join(root, 'case-studies') },
    context,
  )
  const [, dna] = await readCaseStudies(studies.directory)
  assert.equal(dna.feature, null)

  const built = await runFeaturesStage(smallConfig, { ...paths, out: join(root, 'features') }, context)
  const store = await openFeatureStore(built.directory)
  t.after(() => store.close())
  assert.equal(store.summary.features, features)
  assert.equal(store.summary.hasLogits, true)

  await t.test('the list is sorted, limited, and filtered by density', async () => {
    const byMax = await store.list({ sort: 'max', limit: features })
    const maxima = byMax.map(({ max }) => max)
    assert.deepEqual(
      maxima,
      maxima.toSorted((a, b) => b - a),
    )
    const ids = (await store.list({ sort: 'id', limit: 3, offset: 2 })).map(({ feature }) => feature)
    assert.deepEqual(ids, [2, 3, 4])
    const dense = await store.list({ minDensity: 0.3, limit: features })
    assert.ok(dense.length > 0 && dense.length < features)
    assert.ok(dense.every(({ density }) => density >= 0.3))
    const rare = await store.list({ sort: 'density', descending: false, maxDensity: 0.3 })
    assert.ok(rare.every(({ density }, i) => density <= 0.3 && (i === 0 || density >= rare[i - 1].density)))
    const [first] = await store.list({ sort: 'max', limit: 1 })
    assert.equal(first.topExample?.activation, first.max)
  })

  await t.test('a feature carries figures, histogram, logits and examples that agree', async () => {
    const [{ feature, max }] = await store.list({ sort: 'max', limit: 1 })
    const detail = await store.get(feature)
    assert.equal(detail.max, max)
    assert.equal(
      detail.fires,
      detail.histogram.counts.reduce((a, b) => a + b, 0),
    )
    assert.equal(detail.density, detail.fires / store.summary.tokens)
    assert.equal(detail.topLogits.length, 10)
    assert.ok(detail.topLogits[0].weight >= detail.topLogits[9].weight)
    assert.ok(detail.bottomLogits[0].weight <= detail.bottomLogits[9].weight)
    assert.equal(detail.top.length, 6)
    assert.equal(detail.top[0].activation, max)
    for (const example of [...detail.top, ...detail.intervals]) {
      assert.equal(example.tokens.length, example.activations.length)
      assert.equal(example.activations[example.tokenIndex], example.activation)
    }
    assert.equal(detail.tokens.length, Math.min(32, new Set(detail.tokens.map(({ token }) => token)).size))
    assert.ok(
      detail.tokens.every(
        ({ activationSum }, i) => activationSum <= detail.tokens[Math.max(0, i - 1)].activationSum,
      ),
    )
    const { train } = await openCorpus(paths.corpus)
    for (const { document, position, tokens, tokenIndex } of detail.top) {
      const start = train.documentStarts[train.documentIds.indexOf(document)]
      assert.equal(train.tokens[start + position], tokens[tokenIndex])
    }
  })

  await t.test('several features at once are what each is by itself, in the order asked for', async () => {
    const ids = [17, 3, 23, 3]
    assert.deepEqual(await store.getMany(ids), await Promise.all(ids.map(store.get)))
    assert.deepEqual(await store.getMany([]), [])
    await assert.rejects(store.getMany([0, features]), { code: 'missing', message: /feature 24: .*0 to 23/ })
  })

  await t.test('ids out of range and senseless list options are refused', async () => {
    for (const id of [-1, features, 1.5])
      await assert.rejects(store.get(id), { code: 'missing', message: /0 to 23/ })
    await assert.rejects(store.list({ limit: -1 }), { code: 'config', message: /limit/ })
    await assert.rejects(store.list({ sort: 'colour' as 'id' }), { code: 'config', message: /density/ })
  })

  await t.test('the same seed gives the same bytes, whatever the batch size', async () => {
    const again = await runFeaturesStage(
      { ...smallConfig, batchWindows: 3 },
      { ...paths, out: join(root, 'again') },
      context,
    )
    for (const name of [
      'features-0000.parquet',
      'tokens-0000.parquet',
      'examples-0000.parquet',
      'features.json',
    ]) {
      const [a, b] = await Promise.all([built, again].map(({ directory }) => readFile(join(directory, name))))
      assert.ok(a.equals(b), name)
    }
  })
})

test('an autoencoder that never fires gives a list of dead features without examples', async (t) => {
  const { root, inputs: paths } = await smallRun(t, {
    arrays: silentArrays(5, new Float32Array(12)),
    collect: false,
  })
  const out = join(root, 'features')
  await runFeaturesStage(featuresConfigSchema.parse({ tokens: 500 }), { ...paths, out }, context)
  const store = await openFeatureStore(out)
  t.after(() => store.close())
  assert.equal(store.summary.dead, 5)
  const rows = await store.list()
  assert.deepEqual(
    rows.map(({ fires, max, mean, topExample }) => ({ fires, max, mean, topExample })),
    Array(5).fill({ fires: 0, max: 0, mean: null, topExample: null }),
  )
  const { top, tokens, singleToken } = await store.get(4)
  assert.deepEqual({ top, tokens, singleToken }, { top: [], tokens: [], singleToken: false })
})

test('a features directory with a changed file is refused', async (t) => {
  const { root, inputs: paths } = await smallRun(t, { collect: false })
  const out = join(root, 'features')
  await runFeaturesStage(featuresConfigSchema.parse({ tokens: 500 }), { ...paths, out }, context)
  const path = join(out, 'examples-0000.parquet')
  const bytes = await readFile(path)
  bytes[bytes.length >> 1] ^= 1
  await writeFile(path, bytes)
  await assert.rejects(openFeatureStore(out), { code: 'corrupt' })
  await assert.rejects(openFeatureStore(paths.model), { code: 'missing' })
})

test('interrupting the features stage throws and leaves no finished directory', async (t) => {
  const { root, inputs: paths } = await smallRun(t, { collect: false })
  const out = join(root, 'features')
  const controller = new AbortController()
  controller.abort()
  const config = featuresConfigSchema.parse({ tokens: 500 })
  await assert.rejects(
    runFeaturesStage(config, { ...paths, out }, { ...context, signal: controller.signal }),
    {
      code: 'interrupted',
    },
  )
  await assert.rejects(openFeatureStore(out), { code: 'missing' })
  assert.equal((await runFeaturesStage(config, { ...paths, out }, context)).reused, false)
})
