import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadCheckpoint } from '../../src/formats/checkpoint.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { type StageContext, silentProgress } from '../../src/progress/progress.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { loadSae } from '../../src/sae/sae.js'
import { type SaeConfig, saeConfigSchema } from '../../src/sae/sae-config.js'
import { rowNorm } from '../../src/sae/sae-params.js'
import { runSaeStage } from '../../src/sae/sae-stage.js'
import { meanMaxCosine, syntheticSource } from './synthetic-source.js'

let directory: string
let kernels: Kernels
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-sae-'))
  kernels = await loadKernels()
})
after(() => rm(directory, { recursive: true }))

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
    l1Coefficient: 0.5,
    learningRate: 3e-3,
    k: 3,
    auxK: 4,
    ...values,
  })

const smallSource = () => syntheticSource(kernels, { d: 8, features: 12, density: 0.1, seed: 1, bias: 0.5 })

const run = (
  name: string,
  config: SaeConfig,
  source: ActivationSource,
  context: Partial<StageContext> = {},
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

/** A source that calls back before batch `index` is given out. */
function watched(source: ActivationSource, index: number, callback: () => void): ActivationSource {
  return {
    d: source.d,
    async *batches(options) {
      let i = options.skip
      for await (const batch of source.batches(options)) {
        if (i++ === index) callback()
        yield batch
      }
    },
  }
}

for (const architecture of ['relu', 'topk'] as const) {
  test(`${architecture} recovers a known dictionary`, async () => {
    const d = 12
    const source = syntheticSource(kernels, { d, features: 24, density: 0.06, seed: 2, bias: 0.3 })
    const config = quick({
      architecture,
      features: 32,
      trainTokens: 128 * 900,
      batchSize: 128,
      learningRate: 1e-2,
      l1Coefficient: 1,
      k: 3,
      deadAfterTokens: 2000,
      auxK: 8,
      measureTokens: 2048,
    })
    await run(`known-${architecture}`, config, source)
    const sae = await loadSae(kernels, join(directory, `known-${architecture}`))
    const cosine = meanMaxCosine(source.dictionary, await kernels.readF32(sae.params.wDec), d)
    assert.ok(cosine > 0.9, `mean max cosine ${cosine}`)
    const log = await lines(`known-${architecture}`)
    assert.ok(
      log.at(-1).squaredError < 0.25 * log[0].squaredError,
      `${log[0].squaredError} to ${log.at(-1).squaredError}`,
    )
    const metrics = JSON.parse(String(await bytes(`known-${architecture}`, 'metrics.json')))
    assert.ok(metrics.explainedVariance > 0.85, JSON.stringify(metrics))
  })

  test(`${architecture}: decoder rows have unit norm after training`, async () => {
    await run(`norm-${architecture}`, quick({ architecture }), smallSource())
    const sae = await loadSae(kernels, join(directory, `norm-${architecture}`))
    const wDec = await kernels.readF32(sae.params.wDec)
    for (let j = 0; j < 16; j++)
      assert.ok(Math.abs(rowNorm(wDec.subarray(j * sae.d, (j + 1) * sae.d)) - 1) < 1e-5, `row ${j}`)
  })

  // 2 batches of 64 for the start; then interrupted in the middle, and again right before the second resampling
  test(`${architecture}: a run that is interrupted twice ends bit-identical to one left alone`, async () => {
    const config = quick({ architecture })
    await run(`whole-${architecture}`, config, smallSource())
    for (const index of [9, 24]) {
      const abort = new AbortController()
      const source = watched(smallSource(), index, () => abort.abort())
      await assert.rejects(run(`parts-${architecture}`, config, source, { signal: abort.signal }), {
        code: 'interrupted',
      })
    }
    await run(`parts-${architecture}`, config, smallSource())
    for (const file of ['sae_weights.safetensors', 'sparsity.safetensors', 'metrics.jsonl', 'cfg.json'])
      assert.deepEqual(
        await bytes(`parts-${architecture}`, file),
        await bytes(`whole-${architecture}`, file),
        file,
      )
  })
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
  ])
  const cfg = JSON.parse(String(await bytes('finished', 'cfg.json')))
  assert.equal(cfg.architecture, 'standard')
  assert.equal(cfg.monosem.subtractDecoderBias, true)
  assert.equal(cfg.metadata.hook_name, 'blocks.0.mlp.hook_post')
  assert.deepEqual(
    (await lines('finished')).map(({ step }) => step),
    [7, 14, 21, 28, 35, 40],
  )
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

test('an activation that is not a number ends training, names the place and keeps the last checkpoint', async () => {
  const spoil = (batch: Float32Array, index: number) => {
    if (index === 20) batch[8 * 5 + 3] = Number.NaN
  }
  const source = syntheticSource(kernels, { d: 8, features: 12, density: 0.1, seed: 1, spoil })
  const abort = new AbortController()
  const interrupted = watched(source, 9, () => abort.abort())
  await assert.rejects(run('nan', quick(), interrupted, { signal: abort.signal }), { code: 'interrupted' })
  await assert.rejects(run('nan', quick(), source), { code: 'diverged', message: /activation 3 of row 5/ })
  const checkpoint = await loadCheckpoint(join(directory, 'nan.partial'))
  assert.equal((checkpoint?.state as { step: number } | undefined)?.step, 8)
  const first = syntheticSource(kernels, {
    d: 8,
    features: 12,
    density: 0.1,
    seed: 1,
    spoil: (batch) => batch.fill(Number.POSITIVE_INFINITY),
  })
  await assert.rejects(run('infinite', quick(), first), { code: 'diverged', message: /is Infinity/ })
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
