import assert from 'node:assert/strict'
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseConfig } from '../../src/config/parse-config.js'
import { loadKernels } from '../../src/kernels/load.js'
import { modelConfigSchema } from '../../src/model/model-config.js'
import { trainModel } from '../../src/model/train-model.js'
import { createTransformer } from '../../src/model/transformer.js'
import { type Progress, silentProgress } from '../../src/progress/progress.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { tinySplit } from './tiny-corpus.js'

const kernels = await loadKernels()
const V = 9
const STEPS = 24
const config = parseConfig(modelConfigSchema, {
  ...{ dModel: 8, heads: 2, dMlp: 16, context: 8, batchSize: 4, trainTokens: STEPS * 32 },
  ...{ learningRate: 0.02, warmupSteps: 2, checkpointEverySeconds: 1000, seed: 4 },
})
/** 19 windows: the training runs through five epochs. */
const split = tinySplit('train', 155, V)

const newModel = () => createTransformer(kernels, { ...config, vocabularySize: V }, config.seed)

/** Trains in a directory; returns the parameters and the metrics. */
async function train(
  directory: string,
  progress: Progress = silentProgress,
  signal?: AbortSignal,
  changed = {},
) {
  const model = newModel()
  const result = await trainModel(model, split, { ...config, ...changed }, directory, { progress, signal })
  const params: Record<string, Float32Array> = {}
  for (const [name, p] of Object.entries(model.params)) params[name] = await kernels.readF32(p)
  return { params, metrics: result.metrics, result }
}

/** Calls `act` when this session has taken in the figures of so many steps. */
function after(updates: number, act: () => void): Progress {
  let seen = 0
  const update = () => {
    if (++seen === updates) act()
  }
  return { start: () => ({ update, end: () => {} }), note: () => {} }
}

test('training lowers the loss and reports one line of metrics per step of a short run', async (t) => {
  const { metrics, result } = await train(await temporaryDirectory(t))
  assert.equal(metrics.length, STEPS)
  assert.deepEqual([metrics[0].step, metrics[STEPS - 1].tokens], [1, STEPS * 32])
  assert.ok(metrics[STEPS - 1].loss < metrics[0].loss - 0.3)
  assert.ok(metrics.every((line) => line.gradientNorm > 0 && line.learningRate > 0))
  assert.equal(result.trainTokens, STEPS * 32)
  assert.ok(result.tokensPerSecond > 0)
})

test('a training that is stopped, resumed, crashed and resumed ends with the same bits', async (t) => {
  const whole = await train(await temporaryDirectory(t))
  const directory = await temporaryDirectory(t)
  const stop = new AbortController()
  const stopped = train(
    directory,
    after(7, () => stop.abort()),
    stop.signal,
  )
  await assert.rejects(stopped, { code: 'interrupted' })
  const crash = after(6, () => {
    throw new Error('crash')
  })
  await assert.rejects(train(directory, crash), { message: 'crash' })
  const resumed = await train(directory)
  assert.deepEqual(resumed.params, whole.params)
  assert.deepEqual(resumed.metrics, whole.metrics)
})

test('checkpoints after every step change nothing, and a finished training is not run again', async (t) => {
  const whole = await train(await temporaryDirectory(t))
  const directory = await temporaryDirectory(t)
  const often = await train(directory, silentProgress, undefined, { checkpointEverySeconds: 0 })
  assert.deepEqual(often.params, whole.params)
  let steps = 0
  const again = await train(directory, { ...after(1, () => steps++), note: () => {} })
  assert.equal(steps, 0)
  assert.deepEqual(again.params, whole.params)
})

test('another seed trains in another order', async (t) => {
  const a = await train(await temporaryDirectory(t))
  const b = await train(await temporaryDirectory(t), silentProgress, undefined, { seed: 5 })
  assert.notDeepEqual(a.params, b.params)
})

test('a training that diverges stops and keeps the last good checkpoint', async (t) => {
  const directory = await temporaryDirectory(t)
  const stop = new AbortController()
  await assert.rejects(
    train(
      directory,
      after(3, () => stop.abort()),
      stop.signal,
    ),
    { code: 'interrupted' },
  )
  const good = await readFile(join(directory, 'checkpoint.json'), 'utf8')
  // Kernels whose fifth answer is NaN: the losses of the third step of this session.
  const model = newModel()
  const readF32 = kernels.readF32
  let reads = 0
  const failing = {
    ...kernels,
    readF32: async (tensor: Parameters<typeof readF32>[0]) => {
      const data = await readF32(tensor)
      return ++reads === 5 ? data.map(() => Number.NaN) : data
    },
  }
  await assert.rejects(
    trainModel({ ...model, kernels: failing }, split, config, directory, { progress: silentProgress }),
    { code: 'diverged', message: /loss NaN/ },
  )
  assert.equal(await readFile(join(directory, 'checkpoint.json'), 'utf8'), good)
  await train(directory)
})

test('an absurd learning rate is reported as divergence, not saved', async (t) => {
  const directory = await temporaryDirectory(t)
  const model = newModel()
  kernels.fill(model.params['unembed.W_U'], 3e38)
  await assert.rejects(trainModel(model, split, config, directory, { progress: silentProgress }), {
    code: 'diverged',
  })
  assert.deepEqual(await readdir(directory), [])
})

test('a damaged checkpoint is refused by its hash', async (t) => {
  const directory = await temporaryDirectory(t)
  const stop = new AbortController()
  await assert.rejects(
    train(
      directory,
      after(3, () => stop.abort()),
      stop.signal,
    ),
    { code: 'interrupted' },
  )
  const file = (await readdir(directory)).find((name) => name.endsWith('.safetensors'))!
  const bytes = await readFile(join(directory, file))
  bytes[bytes.length - 9] ^= 1
  await writeFile(join(directory, file), bytes)
  await assert.rejects(train(directory), { code: 'corrupt', message: /SHA-256/ })
  await appendFile(join(directory, 'checkpoint.json'), '}')
  await assert.rejects(train(directory), { code: 'corrupt' })
})

test('a split shorter than one window is refused', async (t) => {
  const short = { ...split, tokens: split.tokens.subarray(0, 8) }
  const directory = await temporaryDirectory(t)
  const run = trainModel(newModel(), short, config, directory, { progress: silentProgress })
  await assert.rejects(run, { code: 'config', message: /shorter than one window/ })
})

test('trainTokens 0 is one pass over the split', async (t) => {
  const { result } = await train(await temporaryDirectory(t), silentProgress, undefined, { trainTokens: 0 })
  assert.equal(result.steps, Math.floor((19 * 8) / 32))
})
