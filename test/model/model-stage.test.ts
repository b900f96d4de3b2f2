import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseConfig } from '../../src/config/parse-config.js'
import { corpusConfigSchema } from '../../src/corpus/corpus-config.js'
import { runCorpusStage } from '../../src/corpus/corpus-stage.js'
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.js'
import { loadKernels } from '../../src/kernels/load.js'
import { modelConfigSchema } from '../../src/model/model-config.js'
import { loadTransformer, type ModelMetrics, runModelStage } from '../../src/model/model-stage.js'
import { parameterCount } from '../../src/model/transformer.js'
import { silentProgress } from '../../src/progress/progress.js'
import { Random } from '../../src/random/random.js'
import { sha256File, writeFileAtomic } from '../../src/storage/atomic-file.js'
import { temporaryDirectory } from '../temporary-directory.js'

const kernels = await loadKernels()
const context = { progress: silentProgress, kernels }
const config = parseConfig(modelConfigSchema, {
  ...{ dModel: 16, heads: 2, dMlp: 32, context: 16, batchSize: 4, trainTokens: 6400 },
  ...{ learningRate: 0.02, warmupSteps: 5, evalTokens: 1000 },
})

/** A corpus of ten documents in which words follow each other in a fixed order. */
async function buildCorpus(directory: string): Promise<string> {
  const words = ['river', 'stone', 'cloud', 'ember', 'field', 'night', 'salt', 'thorn']
  const random = Random.named(1, 'corpus')
  for (let file = 0; file < 10; file++) {
    const start = random.int(words.length)
    const text = Array.from({ length: 150 }, (_, i) => words[(start + i) % words.length]).join(' ')
    await writeFile(join(directory, `${file}.txt`), `${text} ${random.uint32()}`)
  }
  const values = { text: [join(directory, '*.txt')], vocabularySize: 300, validationFraction: 0.2 }
  const out = join(directory, 'corpus')
  await runCorpusStage(parseConfig(corpusConfigSchema, values), { out }, context)
  return out
}

async function build(t: TestContext): Promise<{ directory: string; corpus: string; out: string }> {
  const directory = await temporaryDirectory(t)
  const corpus = await buildCorpus(directory)
  const out = join(directory, 'model')
  await runModelStage(config, { corpus, out }, context)
  return { directory, corpus, out }
}

test('the stage leaves a model that beats the baselines it reports, and the same bits again', async (t) => {
  const { directory, corpus, out } = await build(t)
  const files = [
    'config.json',
    'manifest.json',
    'metrics.json',
    'metrics.jsonl',
    'model.json',
    'model.safetensors',
  ]
  assert.deepEqual((await readdir(out)).sort(), [...files, 'tokenizer.json'])
  const metrics = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')) as ModelMetrics
  assert.ok(metrics.bigramLoss < metrics.unigramLoss)
  assert.ok(metrics.valLoss < metrics.unigramLoss)
  assert.ok(metrics.bitsPerByte > 0 && metrics.bitsPerByte < 8)
  assert.equal(metrics.trainTokens, 6400)
  const lines = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n')
  assert.equal(JSON.parse(lines.at(-1)!).step, 100)

  const model = await loadTransformer(kernels, out)
  assert.equal(metrics.parameters, parameterCount(model.config))
  assert.equal(model.config.vocabularySize, 300)

  const again = join(directory, 'again')
  await runModelStage(config, { corpus, out: again }, context)
  assert.equal(
    await sha256File(join(again, 'model.safetensors')),
    await sha256File(join(out, 'model.safetensors')),
  )
  assert.equal((await runModelStage(config, { corpus, out }, context)).reused, true)
  await assert.rejects(runModelStage({ ...config, seed: 1 }, { corpus, out }, context), {
    code: 'config',
    message: /seed/,
  })
})

test('a changed, cut or missing model file is refused', async (t) => {
  const { out } = await build(t)
  const path = join(out, 'model.safetensors')
  const bytes = await readFile(path)
  const flipped = Buffer.from(bytes)
  flipped[flipped.length - 5] ^= 1
  await writeFile(path, flipped)
  await assert.rejects(loadTransformer(kernels, out), { code: 'corrupt', message: /SHA-256/ })
  await writeFile(path, bytes.subarray(0, bytes.length - 8))
  await assert.rejects(loadTransformer(kernels, out), { code: 'corrupt', message: /bytes/ })
  await rm(path)
  await assert.rejects(loadTransformer(kernels, out), { code: 'missing' })
})

test('a model whose tensors do not fit its sizes is refused by the name of the tensor', async (t) => {
  const { out } = await build(t)
  const path = join(out, 'model.safetensors')
  const { tensors } = await readSafetensors(path)
  const reseal = async () => {
    const manifest = JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8'))
    const bytes = (await readFile(path)).length
    manifest.files['model.safetensors'] = { sha256: await sha256File(path), bytes }
    await writeFileAtomic(join(out, 'manifest.json'), JSON.stringify(manifest))
  }
  const { 'ln_final.w': _, ...without } = tensors
  await writeSafetensors(path, without)
  await reseal()
  await assert.rejects(loadTransformer(kernels, out), { code: 'missing', message: /ln_final\.w/ })
  const wrong = { ...tensors, 'ln_final.w': { shape: [2], data: new Float32Array(2) } }
  await writeSafetensors(path, wrong)
  await reseal()
  await assert.rejects(loadTransformer(kernels, out), {
    code: 'shape',
    message: /ln_final\.w.*\[16\].*\[2\]/,
  })
})

test('a corpus that was never finished is refused', async (t) => {
  const directory = await temporaryDirectory(t)
  const paths = { corpus: join(directory, 'corpus'), out: join(directory, 'model') }
  await assert.rejects(runModelStage(config, paths, context), { code: 'missing', message: /corpus/ })
})
