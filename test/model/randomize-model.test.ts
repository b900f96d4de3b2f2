import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { loadTransformer } from '../../src/model/model-files.js'
import { randomizeConfigSchema } from '../../src/model/randomize-config.js'
import { randomizeModel, randomizeParameters } from '../../src/model/randomize-model.js'
import { createTransformer, freeTransformer, type Transformer } from '../../src/model/transformer.js'
import { silentProgress } from '../../src/progress/progress.js'
import { kernels, smallRun } from '../small-run.js'
import { FAMILIES, TINY, tinyModel } from './tiny-model.js'

const context = { progress: silentProgress, kernels }
const configOf = (values: object) => randomizeConfigSchema.parse(values)

async function parametersOf({ params }: Transformer): Promise<Record<string, Float32Array>> {
  const read = Object.entries(params).map(async ([name, p]) => [name, await kernels.readF32(p)])
  return Object.fromEntries(await Promise.all(read))
}

/** The parameters of a trained-like model before and after. */
async function randomized(values: object, config = TINY) {
  const model = await tinyModel(kernels, config)
  const before = await parametersOf(model)
  await randomizeParameters(model, configOf(values), context)
  const after = await parametersOf(model)
  const shapes = Object.fromEntries(Object.entries(model.params).map(([name, { shape }]) => [name, shape]))
  freeTransformer(model)
  return { before, after, isMatrix: (name: string) => shapes[name].length === 2 }
}

const sorted = (values: Float32Array): Float32Array => values.slice().sort()
const meanOf = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length
const deviationOf = (values: Float32Array): number => {
  const mean = meanOf(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
}

test('shuffled weights: each matrix has the entries that it had in another order, norms and biases stay', async () => {
  for (const [family, config] of Object.entries(FAMILIES)) {
    const { before, after, isMatrix } = await randomized({ method: 'shuffle' }, config)
    for (const name of Object.keys(before)) {
      assert.deepEqual(sorted(after[name]), sorted(before[name]), `${family} ${name}`)
      if (isMatrix(name)) assert.notDeepEqual(after[name], before[name], `${family} ${name}`)
      else assert.deepEqual(after[name], before[name], `${family} ${name}`)
    }
  }
})

test('gaussian weights have the mean and the deviation of the trained ones and other values', async () => {
  const wide = { ...TINY, dModel: 64, headWidth: 32, dMlp: 256, vocabularySize: 200 }
  const { before, after, isMatrix } = await randomized({ method: 'gaussian' }, wide)
  for (const name of Object.keys(before).filter(isMatrix)) {
    const [deviation, n] = [deviationOf(before[name]), before[name].length]
    assert.ok(Math.abs(meanOf(after[name]) - meanOf(before[name])) < (5 * deviation) / Math.sqrt(n), name)
    assert.ok(Math.abs(deviationOf(after[name]) / deviation - 1) < 5 / Math.sqrt(n), name)
    assert.notDeepEqual(sorted(after[name]), sorted(before[name]), name)
  }
})

test('initialised weights are spread as those of a fresh model, norms are 1 and biases 0', async () => {
  const wide = { ...TINY, dModel: 64, headWidth: 32, dMlp: 256, vocabularySize: 200 }
  const { after, isMatrix } = await randomized({ method: 'init', seed: 3 }, wide)
  const fresh = createTransformer(kernels, wide, 7)
  const expected = await parametersOf(fresh)
  for (const name of Object.keys(after)) {
    if (!isMatrix(name)) {
      assert.deepEqual(after[name], expected[name], name)
      continue
    }
    const [n, deviation] = [after[name].length, deviationOf(expected[name])]
    assert.ok(Math.abs(deviationOf(after[name]) / deviation - 1) < 8 / Math.sqrt(n), name)
    assert.ok(Math.abs(meanOf(after[name])) < (5 * deviation) / Math.sqrt(n), name)
    assert.notDeepEqual(after[name], expected[name], name)
  }
})

test('another seed gives other weights, the same seed the same ones', async () => {
  for (const method of ['shuffle', 'gaussian', 'init']) {
    const [one, again, other] = await Promise.all(
      [1, 1, 2].map((seed) => randomized({ method, seed }).then(({ after }) => after)),
    )
    assert.deepEqual(one, again, method)
    assert.notDeepEqual(one['blocks.0.mlp.W_in'], other['blocks.0.mlp.W_in'], method)
  }
})

test('--keep-embeddings leaves embedding, positions and unembedding, and nothing else', async () => {
  for (const method of ['shuffle', 'gaussian', 'init']) {
    const { before, after, isMatrix } = await randomized({ method, keepEmbeddings: true })
    for (const name of Object.keys(before).filter(isMatrix)) {
      const kept = ['embed.W_E', 'pos_embed.W_pos', 'unembed.W_U'].includes(name)
      if (kept) assert.deepEqual(after[name], before[name], name)
      else assert.notDeepEqual(after[name], before[name], name)
    }
  }
})

async function makeRandomized(t: TestContext) {
  const { inputs, root } = await smallRun(t, { collect: false })
  const out = join(root, 'shuffled')
  const result = await randomizeModel(configOf({}), { model: inputs.model, out }, context)
  return { inputs, out, result }
}

test('the directory is a model directory with the same architecture and tokenizer', async (t) => {
  const { inputs, out, result } = await makeRandomized(t)
  assert.equal(result.reused, false)
  const [trained, shuffled] = await Promise.all(
    [inputs.model, out].map((directory) => loadTransformer(kernels, directory)),
  )
  assert.deepEqual(shuffled.config, trained.config)
  const [before, after] = [await parametersOf(trained), await parametersOf(shuffled)]
  assert.deepEqual(sorted(after['embed.W_E']), sorted(before['embed.W_E']))
  assert.notDeepEqual(after['embed.W_E'], before['embed.W_E'])
  const tokenizers = [inputs.model, out].map((directory) => readFile(join(directory, 'tokenizer.json')))
  assert.deepEqual(await tokenizers[1], await tokenizers[0])
  const again = await randomizeModel(configOf({}), { model: inputs.model, out }, context)
  assert.equal(again.reused, true)
  const other = randomizeModel(configOf({ seed: 1 }), { model: inputs.model, out }, context)
  await assert.rejects(other, { code: 'config', message: /seed is 0 there, 1 was asked for/ })
})
