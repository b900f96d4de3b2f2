import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { spearmanScore } from '../../src/explain/correlation.js'
import { explainConfigSchema } from '../../src/explain/explain-config.js'
import { explainFeatures } from '../../src/explain/explain-features.js'
import { type ExplanationStore, openExplanations } from '../../src/explain/explanations.js'
import { loadKernels } from '../../src/kernels/load.js'
import { silentProgress } from '../../src/progress/progress.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { pieceTokenizer, tinySplit } from '../model/tiny-corpus.js'
import { TINY, tinyModel } from '../model/tiny-model.js'
import { temporaryDirectory } from '../temporary-directory.js'

const kernels = await loadKernels({ threads: 1 })
const context = { progress: silentProgress }
const inputs = {
  model: await tinyModel(kernels, { ...TINY, context: 24 }),
  sae: saeOf(kernels, randomArrays(10, TINY.dMlp), TINY.dMlp, 'blocks.0.mlp.hook_post'),
  corpus: {
    train: tinySplit('train', 9000, 11),
    validation: tinySplit('validation', 6000, 11),
    tokenizer: pieceTokenizer(Array.from({ length: 10 }, (_, i) => [97 + i])),
  },
}
const config = explainConfigSchema.parse({ contextBefore: 8, contextAfter: 6 })

async function emptyStore(t: TestContext): Promise<ExplanationStore> {
  const root = await temporaryDirectory(t)
  const features = join(root, 'features')
  await mkdir(features)
  await writeFile(join(features, 'manifest.json'), '{}')
  return openExplanations(join(root, 'explanations'), features)
}

/** What is stored, but for when and in which order it was written. */
const contents = async (store: ExplanationStore) =>
  (await store.list({ limit: 1000 }))
    .map(({ id, created, ...rest }) => rest)
    .sort((a, b) => a.feature - b.feature)

test('a run that was killed and resumed stores the same as an unbroken one, controls included', async (t) => {
  const unbroken = await emptyStore(t)
  const report = await explainFeatures(config, inputs, unbroken, context)
  assert.ok(report.counts.explained >= 5)
  const broken = await emptyStore(t)
  // Only some features get into the store before the end.
  const dying: ExplanationStore = {
    ...broken,
    append: async (explanations) => {
      await broken.append(explanations.filter((_, i) => i % 3 === 1))
      throw new Error('killed')
    },
  }
  await assert.rejects(explainFeatures(config, inputs, dying, context), /killed/)
  const kept = (await contents(broken)).length
  const resumed = await explainFeatures(config, inputs, broken, context)
  assert.ok(kept > 0)
  assert.equal(resumed.made, report.counts.explained - kept)
  assert.deepEqual(await contents(broken), await contents(unbroken))
  assert.deepEqual(resumed.aggregates, report.aggregates)
  assert.deepEqual(resumed.counts, report.counts)
})

test('each feature is held against the explanation of another one, and what is done is not done again', async (t) => {
  const store = await emptyStore(t)
  await explainFeatures(config, inputs, store, context)
  const stored = await contents(store)
  for (const { feature, scores } of stored) {
    const shuffled = scores.find(({ scorer }) => scorer === 'shuffled')
    assert.notEqual(shuffled?.details.feature, feature)
    assert.ok(stored.some((one) => one.feature === shuffled?.details.feature))
  }
  assert.equal((await explainFeatures(config, inputs, store, context)).made, 0)
  assert.deepEqual(await contents(store), stored)
})

test('the kept predictions and activations give the stored score again', async (t) => {
  const store = await emptyStore(t)
  await explainFeatures(config, inputs, store, context)
  const stored = await store.list({ limit: 1000 })
  for (const { id, scores } of stored) {
    const examples = (await store.scoredExamples(id)) ?? []
    const predicted = examples.flatMap(({ predictions }) => predictions ?? [])
    const truth = examples.flatMap(({ activations }) => activations)
    const spearman = scores.find(({ scorer }) => scorer === 'spearman')
    assert.equal(truth.length, spearman?.n)
    assert.equal(spearmanScore(predicted, truth), spearman?.value)
  }
  const unpredicted = await emptyStore(t)
  await explainFeatures({ ...config, scorers: [] }, inputs, unpredicted, context)
  const [{ id }] = await unpredicted.list()
  const kept = (await unpredicted.scoredExamples(id)) ?? []
  assert.ok(kept.length > 0 && kept.every(({ predictions }) => predictions === null))
})
