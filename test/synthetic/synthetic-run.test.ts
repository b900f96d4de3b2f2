import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseConfig } from '../../src/config/parse-config.js'
import { readSafetensors } from '../../src/formats/safetensors.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { silentProgress } from '../../src/progress/progress.js'
import { loadSae } from '../../src/sae/sae.js'
import { type SyntheticConfig, syntheticConfigSchema } from '../../src/synthetic/synthetic-config.js'
import { readSyntheticRun, trainSynthetic } from '../../src/synthetic/synthetic-run.js'
import { findSyntheticRuns, runTableStage } from '../../src/synthetic/table-stage.js'

let directory: string
let kernels: Kernels
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-synthetic-'))
  kernels = await loadKernels()
})
after(() => rm(directory, { recursive: true }))

/** A world with as many dimensions as features, none of which go together: an autoencoder of the same size can find them all. */
const easy = (values: Partial<SyntheticConfig> = {}): SyntheticConfig =>
  parseConfig(syntheticConfigSchema, {
    ...{ trueFeatures: 16, width: 16, roots: 0, correlationScale: 0, spreadMean: 0.1, spreadStd: 0 },
    ...{ maxProbability: 0.1, minProbability: 0.1 - 1e-9, biasNorm: 0, orthogonalizationSteps: 200 },
    ...{ orthogonalizationRate: 0.01, features: 16, k: 2, samples: 200_000, batchSize: 256 },
    ...{ learningRate: 1e-2, evaluationSamples: 5000, measureTokens: 512, initTokens: 1024 },
    ...values,
  })

const train = (name: string, configs: Record<string, SyntheticConfig>, signal?: AbortSignal) =>
  trainSynthetic(
    Object.entries(configs).map(([inner, config]) => ({ config, directory: join(directory, name, inner) })),
    join(directory, name, 'feature-model'),
    { kernels, progress: silentProgress, signal },
  )

/** ReLU does not need to know how many features are active. */
const perfect = easy({ architecture: 'relu', l1Coefficient: 0.3 })

test('an autoencoder of the right size finds a world of features that do not overlap', async () => {
  await train('easy', { '.': perfect })
  const run = await readSyntheticRun(join(directory, 'easy'))
  assert.ok(run.mcc > 0.99, `MCC ${run.mcc}`)
  assert.ok(run.f1 > 0.99, `F1 ${run.f1}`)
  assert.equal(run.uniqueness, 1)
  assert.equal(run.deadFraction, 0)
  assert.ok(Math.abs(run.trueL0 - 1.6) < 0.1, `true L0 ${run.trueL0}`)
  assert.equal(run.samples, 5000)
  assert.equal(run.trainSamples, Math.ceil(200_000 / 256) * 256)
  assert.equal(run.config.hookName, 'synthetic')
  assert.equal(run.groups.find(({ kind }) => kind === 'in no tree')?.latents, 16)

  using sae = await loadSae(kernels, join(directory, 'easy', 'sae'))
  assert.equal(sae.features, 16)
  const { tensors } = await readSafetensors(join(directory, 'easy', 'recovery', 'latents.safetensors'))
  assert.equal(new Set(tensors.matched.data).size, 16)
  assert.match(await readFile(join(directory, 'easy', 'recovery', 'report.html'), 'utf8'), /<svg/)
})

test('started again it reuses what is there, and refuses another world', async () => {
  const [result] = await train('easy', { '.': perfect })
  assert.equal(result.reused, true)
  await assert.rejects(train('easy', { '.': { ...perfect, modelSeed: 7 } }), {
    code: 'config',
    message: /modelSeed/,
  })
})

test('stopped in the middle and started again, it ends as if it had been left alone', async () => {
  const config = easy({ samples: 20_000, checkpointEverySeconds: 0 })
  await train('whole', { '.': config })
  const controller = new AbortController()
  const stopped = train('stopped', { '.': config }, controller.signal)
  const log = join(directory, 'stopped', 'sae.partial', 'checkpoint.json')
  const poll = setInterval(() => existsSync(log) && controller.abort(), 5)
  await assert.rejects(stopped, { code: 'interrupted' })
  clearInterval(poll)
  await train('stopped', { '.': config })
  const [whole, again] = await Promise.all(
    ['whole', 'stopped'].map((name) => readFile(join(directory, name, 'recovery', 'recovery.json'), 'utf8')),
  )
  assert.equal(again, whole)
})

test('several on one stream end as each alone, and a table compares them', async () => {
  const alone = easy({ samples: 5000, streamSeed: 0 })
  await train('one', { '.': alone })
  await train('sweep', { 'k-1': { ...alone, k: 1 }, 'k-2': alone })
  const [one, both] = await Promise.all([
    readSyntheticRun(join(directory, 'one')),
    findSyntheticRuns([join(directory, 'sweep')]),
  ])
  assert.deepEqual(
    both.map(({ config }) => config.k),
    [1, 2],
  )
  assert.equal(both[1].f1, one.f1)
  assert.equal(both[1].mcc, one.mcc)
  const { directory: table } = await runTableStage(both, join(directory, 'table'))
  const page = await readFile(join(table, 'report.html'), 'utf8')
  assert.match(page, /batchtopk, K 1/)
  assert.equal((JSON.parse(await readFile(join(table, 'table.json'), 'utf8')) as unknown[]).length, 2)
})

test('a directory without a finished autoencoder has no table', async () => {
  await assert.rejects(findSyntheticRuns([join(directory, 'table')]), {
    code: 'missing',
    message: /expected an autoencoder with its recovery/,
  })
})
