import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadCheckpoint } from '../../src/formats/checkpoint.js'
import { eventFileName } from '../../src/formats/tensorboard.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { type StageContext, silentProgress } from '../../src/progress/progress.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { resolveSaeConfig } from '../../src/sae/resolve-config.js'
import { loadSae } from '../../src/sae/sae.js'
import { architectureNames, type SaeConfig, saeConfigSchema } from '../../src/sae/sae-config.js'
import { rowNorm } from '../../src/sae/sae-params.js'
import { runSaeStage } from '../../src/sae/sae-stage.js'
import { loadTrainState } from '../../src/sae/train-state.js'
import { parseEvents } from '../formats/parse-events.js'
import { meanMaxCosine, syntheticSource } from './synthetic-source.js'

let directory: string
let kernels: Kernels
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-sae-'))
  kernels = await loadKernels()
})
after(() => rm(directory, { recursive: true }))

/** Options under which the dictionary is found and some features die, in seconds. */
const quick = (values: Partial<SaeConfig> = {}): SaeConfig =>
  saeConfigSchema.parse({
    features: 16,
    trainTokens: 64 * 40,
    batchSize: 64,
    initTokens: 128,
    measureTokens: 256,
    resampleTokens: 128,
    deadAfterTokens: 64,
    resampleAt: [0.25, 0.5],
    logEverySteps: 7,
    learningRate: 3e-3,
    k: 3,
    auxK: 4,
    ...(values.architecture === undefined || values.architecture === 'relu' ? { l1Coefficient: 0.5 } : {}),
    ...values,
  })

const smallSource = () => syntheticSource(kernels, { d: 8, features: 12, density: 0.1, seed: 1, bias: 0.5 })

const run = (
  name: string,
  config: SaeConfig,
  source: ActivationSource,
  context: Partial<StageContext & { kernels: Kernels }> = {},
) =>
  runSaeStage(
    config,
    { source, out: join(directory, name), inputs: {} },
    { progress: silentProgress, kernels, ...context },
  )

const bytes = (name: string, file: string) => readFile(join(directory, name, file))
const lines = async (name: string) =>
  (await readFile(join(directory, name, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

/** What a run computes: the other files hold durations, or hashes of files that do. */
const computed = ['sae_weights.safetensors', 'sparsity.safetensors', 'metrics.jsonl', 'cfg.json']

/** A source that calls back before batch `index` is given out. */
function watched(source: ActivationSource, index: number, callback: () => void): ActivationSource {
  return {
    ...source,
    async *batches(options) {
      let i = options.skip
      for await (const batch of source.batches(options)) {
        if (i++ === index) callback()
        yield batch
      }
    },
  }
}

/** What each architecture takes to find the dictionary of the test in a few hundred steps. */
const settings: Record<(typeof architectureNames)[number], Partial<SaeConfig>> = {
  relu: { l1Coefficient: 1 },
  'relu-norm': { l1Coefficient: 1 },
  gated: { l1Coefficient: 3 },
  jumprelu: { l0Coefficient: 1, bandwidth: 0.3, initialThreshold: 0.1 },
  'jumprelu-tanh': { l0Coefficient: 0.7, bandwidth: 0.5 },
  topk: {},
  batchtopk: { k: 2 },
  matryoshka: { k: 2, prefixes: [24] },
}

for (const architecture of architectureNames) {
  test(`${architecture} recovers a known dictionary, with decoder rows of norm 1`, async () => {
    const d = 12
    const source = syntheticSource(kernels, { d, features: 24, density: 0.06, seed: 2, bias: 0.3 })
    const config = quick({
      architecture,
      features: 32,
      trainTokens: 128 * 900,
      batchSize: 128,
      learningRate: 1e-2,
      deadAfterTokens: 2000,
      auxK: 8,
      measureTokens: 2048,
      ...settings[architecture],
    })
    const name = `known-${architecture}`
    await run(name, config, source)
    const sae = await loadSae(kernels, join(directory, name))
    const wDec = await kernels.readF32(sae.params.wDec)
    const cosine = meanMaxCosine(source.dictionary, wDec, d)
    assert.ok(cosine > 0.9, `mean max cosine ${cosine}`)
    for (let j = 0; j < sae.features; j++)
      assert.ok(Math.abs(rowNorm(wDec.subarray(j * d, (j + 1) * d)) - 1) < 1e-5, `row ${j}`)
    const log = await lines(name)
    assert.ok(
      log.at(-1).squaredError < 0.25 * log[0].squaredError,
      `${log[0].squaredError} to ${log.at(-1).squaredError}`,
    )
    const metrics = JSON.parse(String(await bytes(name, 'metrics.json')))
    assert.ok(metrics.explainedVariance > 0.85 && metrics.l0 < 6, JSON.stringify(metrics))
  })

  test(`${architecture}: a run that is interrupted twice ends bit-identical to one left alone`, () =>
    assertResumesExactly(architecture, quick({ architecture, deadFeatures: 'resample', emaDecay: 0.9 })))
}

for (const architecture of architectureNames) {
  test(`${architecture}: a frozen decoder stays at its start while the rest is trained`, async () => {
    const config = quick({ architecture, freezeDecoder: true, gradientClip: 1 })
    const name = `frozen-${architecture}`
    await assertResumesExactly(name, config)
    await run(`${name}-short`, { ...config, trainTokens: 64 }, smallSource())
    const [long, short] = await Promise.all(
      [`whole-${name}`, `${name}-short`].map(async (each) => {
        const { params } = await loadSae(kernels, join(directory, each))
        return { wEnc: await kernels.readF32(params.wEnc), wDec: await kernels.readF32(params.wDec) }
      }),
    )
    assert.deepEqual(long.wDec, short.wDec)
    assert.notDeepEqual(long.wEnc, short.wEnc)
  })
}

test('int8: a run that is interrupted twice ends bit-identical to one left alone', () =>
  assertResumesExactly('int8', quick({ precision: 'int8' })))

/** 2 batches of 64 for the start; then interrupted in the middle, and again right before the second resampling. */
async function assertResumesExactly(name: string, config: SaeConfig): Promise<void> {
  await run(`whole-${name}`, config, smallSource())
  for (const index of [9, 24]) {
    const abort = new AbortController()
    const source = watched(smallSource(), index, () => abort.abort())
    await assert.rejects(run(`parts-${name}`, config, source, { signal: abort.signal }), {
      code: 'interrupted',
    })
  }
  await run(`parts-${name}`, config, smallSource())
  for (const file of computed)
    assert.deepEqual(await bytes(`parts-${name}`, file), await bytes(`whole-${name}`, file), file)
}

test('another seed gives other parameters', async () => {
  await run('seed-1', quick({ seed: 1 }), smallSource())
  await run('seed-2', quick({ seed: 2 }), smallSource())
  assert.notDeepEqual(
    await bytes('seed-1', 'sae_weights.safetensors'),
    await bytes('seed-2', 'sae_weights.safetensors'),
  )
})

test('the units of the activations do not matter: scaled data gives the same autoencoder in other units', async () => {
  const scaled: ActivationSource = {
    d: 8,
    async *batches(options) {
      for await (const batch of smallSource().batches(options)) {
        assert.ok(!('x' in batch))
        kernels.scaleInPlace(batch, 256)
        yield batch
      }
    },
  }
  await run('units-1', quick(), smallSource())
  await run('units-256', quick(), scaled)
  const [one, other] = [
    await loadSae(kernels, join(directory, 'units-1')),
    await loadSae(kernels, join(directory, 'units-256')),
  ]
  assert.deepEqual(await kernels.readF32(one.params.wDec), await kernels.readF32(other.params.wDec))
  const biases = await kernels.readF32(one.params.bDec)
  const larger = await kernels.readF32(other.params.bDec)
  biases.forEach((bias, c) => {
    assert.ok(Math.abs(larger[c] / 256 - bias) < 1e-5)
  })
})

test('resampling is mentioned only where features were dead', async () => {
  const notesOf = async (name: string, deadAfterTokens: number): Promise<string[]> => {
    const notes: string[] = []
    const progress = { ...silentProgress, note: (text: string) => notes.push(text) }
    await run(
      name,
      quick({ features: 64, l1Coefficient: 30, learningRate: 1e-2, deadAfterTokens }),
      smallSource(),
      { progress },
    )
    return notes.filter((note) => note.includes('resampled'))
  }
  assert.deepEqual(await notesOf('patient', 1e6), [])
  const notes = await notesOf('impatient', 64)
  assert.match(notes.join(), /^step 10: resampled [1-9]\d* of 64 features/)
})

test('a finished directory holds a SAELens autoencoder, its metrics and no checkpoint', async () => {
  await run('finished', quick(), smallSource())
  assert.deepEqual((await readdir(join(directory, 'finished'))).sort(), [
    'cfg.json',
    'config.json',
    'manifest.json',
    'metrics.json',
    'metrics.jsonl',
    'sae_weights.safetensors',
    'sparsity.safetensors',
    'timings.jsonl',
  ])
  const cfg = JSON.parse(String(await bytes('finished', 'cfg.json')))
  assert.equal(cfg.architecture, 'standard')
  assert.equal(cfg.monosem.subtractDecoderBias, true)
  assert.equal(cfg.metadata.hook_name, 'blocks.0.mlp.hook_post')
  assert.deepEqual(
    (await lines('finished')).map(({ step }) => step),
    [7, 14, 21, 28, 35, 40],
  )
  const [line] = await lines('finished')
  const loss = line.squaredError + line.sparsityCoefficient * line.sparsity
  assert.ok(Math.abs(line.loss - loss) < 1e-9)
  assert.ok(Math.abs(line.meanDensity - line.l0 / 16) < 1e-12 && line.maxDensity <= 1)
  const { config } = JSON.parse(String(await bytes('finished', 'config.json')))
  assert.deepEqual(config, resolveSaeConfig(quick(), 8))
  const metrics = JSON.parse(String(await bytes('finished', 'metrics.json')))
  assert.deepEqual(Object.keys(metrics).slice(0, 6), [
    'l0',
    'explainedVariance',
    'measuredTokens',
    'deadFraction',
    'samplesPerSecond',
    'steps',
  ])
})

/** A NaN in row 5 of batch 20, and where it is. */
const spoiled = (): ActivationSource => ({
  ...syntheticSource(kernels, {
    d: 8,
    features: 12,
    density: 0.1,
    seed: 1,
    spoil: (batch, index) => {
      if (index === 20) batch[8 * 5 + 3] = Number.NaN
    },
  }),
  locate: ({ batch, row, batchSize }) => `activation ${batch * batchSize + row} of shard 0`,
})

test('an activation that is not a number ends training, names the place and keeps the last checkpoint', async () => {
  const abort = new AbortController()
  const interrupted = watched(spoiled(), 9, () => abort.abort())
  await assert.rejects(run('nan', quick(), interrupted, { signal: abort.signal }), { code: 'interrupted' })
  await assert.rejects(run('nan', quick(), spoiled()), {
    code: 'diverged',
    message: /row 5 of batch 20 \(activation 1285 of shard 0\)/,
    hint: /--bad-activations skip/,
  })
  const checkpoint = await loadCheckpoint(join(directory, 'nan.partial'))
  assert.equal((checkpoint?.state as { step: number } | undefined)?.step, 8)
  const spoil = (batch: Float32Array) => batch.fill(Number.POSITIVE_INFINITY)
  const first = syntheticSource(kernels, { d: 8, features: 12, density: 0.1, seed: 1, spoil })
  await assert.rejects(run('infinite', quick(), first), { code: 'diverged', message: /row 0 of batch 0/ })
})

test('with --bad-activations skip such rows are left out and counted, at the start, in training and after it', async () => {
  const source = syntheticSource(kernels, {
    d: 8,
    features: 12,
    density: 0.1,
    seed: 1,
    // 2 batches to start, 40 to train, 4 to measure
    spoil: (batch, index) => {
      if ([1, 20, 43].includes(index)) batch.fill(Number.NaN, 8 * 5, 8 * 7)
      if (index === 30) batch.fill(Number.NaN)
    },
  })
  await run('skipped', quick({ badActivations: 'skip' }), source)
  const metrics = JSON.parse(String(await bytes('skipped', 'metrics.json')))
  assert.equal(metrics.skippedRows, 2 + 2 + 64)
  assert.equal(metrics.measuredTokens, 256 - 2)
  assert.ok(metrics.explainedVariance > 0.1)
  const counts = (await lines('skipped')).map(({ skippedRows }) => skippedRows)
  assert.deepEqual(counts, [0, 0, 2, 0, 64, 0])
})

test('a learning rate that blows up is reported as divergence', async () => {
  await assert.rejects(run('blown', quick({ learningRate: 1e30, warmupFraction: 0 }), smallSource()), {
    code: 'diverged',
    hint: /lower --learning-rate/,
  })
})

test('activations that are all zero are refused', async () => {
  const source = syntheticSource(kernels, { d: 8, features: 12, density: 0, seed: 1 })
  await assert.rejects(run('zero', quick(), source), { code: 'config', message: /every activation is zero/ })
})

test('a checkpoint with a flipped bit is refused, and so is a source that ends', async () => {
  const abort = new AbortController()
  const source = watched(smallSource(), 9, () => abort.abort())
  await assert.rejects(run('flipped', quick(), source, { signal: abort.signal }), { code: 'interrupted' })
  const partial = join(directory, 'flipped.partial')
  const file = (await readdir(partial)).find((name) => name.endsWith('.safetensors')) as string
  const content = await readFile(join(partial, file))
  content[content.length - 3] ^= 4
  await writeFile(join(partial, file), content)
  await assert.rejects(run('flipped', quick(), smallSource()), {
    code: 'corrupt',
    hint: /remove .*flipped\.partial/,
  })
  const short: ActivationSource = {
    d: 8,
    async *batches() {
      yield kernels.tensor(new Float32Array(64 * 8).fill(1), [64, 8])
    },
  }
  await assert.rejects(run('short', quick(), short), { code: 'missing', message: /ended after 1 batches/ })
})

test('a width that changes in mid-stream is refused', async () => {
  const source: ActivationSource = {
    d: 8,
    async *batches({ batchSize, skip }) {
      for (let index = skip; ; index++) {
        const d = index < 10 ? 8 : 9
        yield kernels.tensor(new Float32Array(batchSize * d).fill(1 + index), [batchSize, d])
      }
    },
  }
  await assert.rejects(run('width', quick(), source), {
    code: 'shape',
    message: /expected activations \[64, 8\] in batch 10 of the activation source, got \[64, 9\]/,
  })
})

test('a checkpoint of another architecture is refused', async () => {
  const abort = new AbortController()
  const source = watched(smallSource(), 9, () => abort.abort())
  await assert.rejects(run('other', quick(), source, { signal: abort.signal }), { code: 'interrupted' })
  await assert.rejects(run('other', quick({ architecture: 'topk' }), smallSource()), {
    code: 'config',
    message: /config.architecture is "relu" there, "topk" was asked for/,
  })
  const config = resolveSaeConfig(quick({ architecture: 'topk' }), 8)
  const partial = join(directory, 'other.partial')
  await assert.rejects(loadTrainState(kernels, partial, config, { d: 8, dOut: 8 }, []), {
    code: 'config',
    message: /expected an autoencoder of architecture topk, got relu/,
  })
})

test('a number format that the processor lacks is replaced, and that is said', async () => {
  const notesOf = async (precision: SaeConfig['precision'], lacking: Kernels): Promise<string[]> => {
    const notes: string[] = []
    const context = {
      kernels: lacking,
      progress: { ...silentProgress, note: (text: string) => notes.push(text) },
    }
    await run(`precision-${precision}`, quick({ precision, deadFeatures: 'none' }), smallSource(), context)
    return notes
  }
  const lacking: Kernels = {
    ...kernels,
    saePack: (wEnc) => kernels.saePack(wEnc, 'fp32', null),
  }
  assert.deepEqual(await notesOf('auto', lacking), [])
  assert.deepEqual(await notesOf('fp32', lacking), [])
  const [note] = await notesOf('int8', lacking)
  assert.match(note, /precision int8 is not there with .*: encoding in fp32/)
  const metrics = JSON.parse(String(await bytes('precision-int8', 'metrics.json')))
  assert.equal(metrics.precision, 'fp32')
})

test('timings say how near to the peak a step is, where the kernels know the peak', async () => {
  const knowing: Kernels = { ...kernels, measurePeak: async () => 1e9 }
  await run('with-peak', quick(), smallSource(), { kernels: knowing, progress: silentProgress })
  const lines = String(await bytes('with-peak', 'timings.jsonl'))
    .trim()
    .split('\n')
  for (const line of lines) {
    const { encodeMs, decodeMs, updateMs, fractionOfPeak } = JSON.parse(line)
    assert.ok(encodeMs + decodeMs + updateMs > 0)
    assert.ok(fractionOfPeak > 0, line)
  }
})

test('the moving average of the parameters is what is saved', async () => {
  await run('last', quick(), smallSource())
  await run('average', quick({ emaDecay: 0.99 }), smallSource())
  const [last, average] = [
    await loadSae(kernels, join(directory, 'last')),
    await loadSae(kernels, join(directory, 'average')),
  ]
  assert.notDeepEqual(
    await kernels.readF32(last.params.wEnc),
    await kernels.readF32(average.params.wEnc),
    'another autoencoder',
  )
  const wDec = await kernels.readF32(average.params.wDec)
  for (let j = 0; j < 16; j++) assert.ok(Math.abs(rowNorm(wDec.subarray(j * 8, (j + 1) * 8)) - 1) < 1e-5)
  assert.deepEqual(await lines('average'), await lines('last'), 'training itself is the same')
})

test('--tensorboard writes the figures of metrics.jsonl as an event file', async () => {
  await run('events', quick({ tensorboard: true }), smallSource())
  const scalars = parseEvents(await bytes('events', eventFileName))
  const logged = await lines('events')
  assert.equal(scalars.length, logged.length)
  logged.forEach((line, i) => {
    assert.equal(scalars[i].step, line.step)
    assert.equal(scalars[i].values.get('l0'), Math.fround(line.l0))
    assert.equal(scalars[i].values.get('dead'), line.dead)
  })
})

test('gradients are clipped, and their norm is logged', async () => {
  await run('clipped', quick({ gradientClip: 0.1 }), smallSource())
  const [line] = await lines('clipped')
  assert.ok(line.gradientNorm > 0.1)
})
