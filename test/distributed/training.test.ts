import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import { silentProgress } from '../../src/progress/progress.js'
import { type SaeConfig, saeConfigSchema } from '../../src/sae/sae-config.js'
import { runSaeStage } from '../../src/sae/sae-stage.js'
import { noMpi } from './find-mpi.js'
import { runRanks } from './run-ranks.js'
import { type RankState, smallSource, type TrainJob, watched } from './train-job.js'

/** 3 and 4 do not divide it. */
const features = 50
const steps = 200
const batchSize = 64

const configs: Record<string, Partial<SaeConfig>> = {
  topk: {},
  batchtopk: {},
  matryoshka: { prefixes: [20, 50] },
  'relu-norm': { l1Coefficient: 1, gradientClip: 1 },
  jumprelu: { l0Coefficient: 1, bandwidth: 0.3, initialThreshold: 0.1 },
  'jumprelu-tanh': { l0Coefficient: 0.7, bandwidth: 0.5 },
  gated: { l1Coefficient: 3 },
  /** a penalty that kills */
  resampled: { architecture: 'gated', l1Coefficient: 14, deadAfterTokens: 64, resampleAt: [0.75, 0.9] },
  transcoder: { architecture: 'topk', targetHookName: 'blocks.0.hook_mlp_out', skip: true },
}

const configOf = (name: string, values: Partial<SaeConfig> = {}): SaeConfig =>
  saeConfigSchema.parse({
    architecture: name,
    features,
    batchSize,
    trainTokens: batchSize * steps,
    initTokens: 128,
    measureTokens: 256,
    resampleTokens: 256,
    deadAfterTokens: 500,
    logEverySteps: 1,
    learningRate: 1e-3,
    k: 3,
    auxK: 6,
    precision: 'fp32',
    checkpointEverySeconds: 3600,
    ...configs[name],
    ...values,
  })

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-training-'))
  for (const architecture of Object.keys(configs))
    await trainAlone(`alone-${architecture}`, configOf(architecture))
})
after(() => rm(directory, { recursive: true }))

/** @param stop batch before which it is told to stop */
async function trainAlone(name: string, config: SaeConfig, stop = -1): Promise<void> {
  const kernels = await loadKernels({ threads: 1, implementation: 'native' })
  const abort = new AbortController()
  const source = watched(smallSource(kernels, config), stop, () => abort.abort())
  const paths = { source, out: join(directory, name), inputs: {} }
  await runSaeStage(config, paths, { kernels, progress: silentProgress, signal: abort.signal })
}

/** Trains on several ranks; what each rank had at the end of each job. */
async function trainOn(
  ranks: number,
  jobs: (Omit<TrainJob, 'out'> & { name: string })[],
): Promise<RankState[][]> {
  const withPaths = jobs.map(({ name, ...job }) => ({ ...job, out: join(directory, name) }))
  const { code, stdout, stderr } = await runRanks(
    ranks,
    'test/distributed/programs/train.js',
    [JSON.stringify(withPaths)],
    { timeout: 400 },
  )
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

const linesOf = async (name: string, file = 'metrics.jsonl'): Promise<Record<string, number>[]> =>
  (await readFile(join(directory, name, file), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

/** Largest relative difference between the losses of two runs. */
async function lossDifference(name: string, other: string): Promise<number> {
  const [a, b] = await Promise.all([linesOf(name), linesOf(other)])
  assert.equal(a.length, steps)
  assert.equal(b.length, steps)
  return Math.max(...a.map(({ loss }, i) => Math.abs(loss - b[i].loss) / b[i].loss))
}

/** What all ranks have is the same on all, and ranks with the same features have the same. */
function assertReplicated(ranks: readonly RankState[]): void {
  for (const rank of ranks) {
    assert.equal(rank.error, null)
    assert.ok(rank.shared && rank.own)
    assert.equal(rank.shared, ranks[0].shared)
    assert.equal(rank.own, ranks.find(({ featureRank }) => featureRank === rank.featureRank)?.own)
  }
}

const always = ['topk', 'batchtopk']
/** Ranks, how many of them share the features, and what they train. */
const meshes: [number, number, string[]][] = [
  [2, 2, always],
  [3, 3, always],
  [4, 4, always],
  [4, 1, always],
  [4, 2, Object.keys(configs)],
]
for (const [ranks, featureRanks, names] of meshes)
  test(`${featureRanks} x ${ranks / featureRanks} ranks have the losses of one rank`, {
    skip: noMpi ?? false,
  }, async () => {
    const mesh = `${featureRanks}x${ranks / featureRanks}`
    const jobs = names.map((architecture) => ({
      name: `${mesh}-${architecture}`,
      config: configOf(architecture),
      featureRanks,
    }))
    const results = await trainOn(ranks, jobs)
    for (const [i, { name }] of jobs.entries()) {
      assertReplicated(results[i])
      assert.ok((await lossDifference(name, `alone-${names[i]}`)) < 1e-4, name)
      if (names[i] === 'resampled') assert.match(results[i][0].notes.join(), /resampled [1-9]\d* of 50/)
      const [{ exchangeBytes }] = await linesOf(name, 'timings.jsonl')
      assert.ok(exchangeBytes > 0)
    }
  })

test('what the losses are compared on: losses fall, and dead features are trained by AuxK', async () => {
  for (const architecture of Object.keys(configs).filter((name) => name !== 'resampled')) {
    const lines = await linesOf(`alone-${architecture}`)
    assert.ok(lines[steps - 1].squaredError < 0.7 * lines[0].squaredError, architecture)
  }
  const auxiliary = (await linesOf('alone-topk')).filter(({ dead, auxLoss }) => dead > 0 && auxLoss > 0)
  assert.ok(auxiliary.length > 0)
})

/** What a run computes: the other files hold durations. */
const computed = ['sae_weights.safetensors', 'sparsity.safetensors', 'metrics.jsonl', 'cfg.json']

async function assertSameFiles(name: string, other: string): Promise<void> {
  for (const file of computed)
    assert.deepEqual(
      await readFile(join(directory, name, file)),
      await readFile(join(directory, other, file)),
      `${file} of ${name} and ${other}`,
    )
}

test('a checkpoint of 4 ranks goes on with 4, 2 and 1, and one of 1 with 4', {
  skip: noMpi ?? false,
}, async () => {
  const config = configOf('batchtopk', { emaDecay: 0.9 })
  const whole = { name: 'whole', config, featureRanks: 4 }
  const stopped = { name: 'stopped', config, featureRanks: 4, stop: { rank: 1, batch: 100 } }
  const [, interrupted] = await trainOn(4, [whole, stopped])
  for (const { error } of interrupted) assert.match(error ?? '', /^interrupted/)
  const files = (await readdir(join(directory, 'stopped.partial'))).filter((name) =>
    /^checkpoint-/.test(name),
  )
  assert.deepEqual(
    files.sort(),
    [0, 1, 2, 3].map((rank) => `checkpoint-1-rank${rank}of4.safetensors`),
  )
  for (const name of ['on-4', 'on-2', 'on-1', 'on-2x2'])
    await cp(join(directory, 'stopped.partial'), join(directory, `${name}.partial`), { recursive: true })

  const results = await trainOn(4, [
    { name: 'on-4', config, featureRanks: 4 },
    { name: 'on-2x2', config, featureRanks: 2 },
  ])
  const [onTwo] = await trainOn(2, [{ name: 'on-2', config, featureRanks: 2, stop: { rank: 0, batch: 150 } }])
  for (const { error } of onTwo) assert.match(error ?? '', /^interrupted/)
  await trainAlone('on-2', config)
  await trainAlone('on-1', config)
  for (const result of results) assertReplicated(result)
  await assertSameFiles('on-4', 'whole')
  await trainAlone('alone', config)
  await assert.rejects(trainAlone('on-1-then-4', config, 90), { code: 'interrupted' })
  await trainOn(4, [{ name: 'on-1-then-4', config, featureRanks: 4 }])
  for (const name of ['whole', 'on-4', 'on-2x2', 'on-2', 'on-1', 'on-1-then-4'])
    assert.ok((await lossDifference(name, 'alone')) < 1e-4, name)
})

test('several autoencoders on one stream end as each would alone on the same ranks', {
  skip: noMpi ?? false,
}, async () => {
  const short = { trainTokens: 30 * batchSize }
  const [first, second] = [configOf('topk', short), configOf('relu-norm', short)]
  const inBf16 = { featureRanks: 1, gradients: 'bf16' as const }
  await trainOn(2, [
    { name: 'one', config: first, featureRanks: 2 },
    { name: 'other', config: second, featureRanks: 2 },
    {
      name: 'one-of-two',
      config: first,
      also: { out: join(directory, 'other-of-two'), config: second },
      featureRanks: 2,
    },
    { name: 'in-bf16', config: first, ...inBf16 },
    { name: 'in-f32', config: first, featureRanks: 1 },
  ])
  await assertSameFiles('one-of-two', 'one')
  await assertSameFiles('other-of-two', 'other')
  const [inF32, rounded] = [await linesOf('in-f32'), await linesOf('in-bf16')]
  const difference = Math.abs(rounded[29].loss / inF32[29].loss - 1)
  assert.ok(difference > 0 && difference < 0.01, `${difference}`)
})

test('a rank that is killed ends all; the run goes on from its last checkpoint to the same bytes', {
  skip: noMpi ?? false,
}, async () => {
  const config = configOf('topk', { trainTokens: 30 * batchSize, checkpointEverySeconds: 0 })
  const job = { config, featureRanks: 2 }
  await trainOn(4, [{ ...job, name: 'undisturbed' }])
  await assert.rejects(trainOn(4, [{ ...job, name: 'killed', kill: { rank: 3, batch: 20 } }]), /signal 9/)
  const files = await readdir(join(directory, 'killed.partial'))
  assert.ok(files.includes('checkpoint.json') && !files.includes('sae_weights.safetensors'))
  const [result] = await trainOn(4, [{ ...job, name: 'killed' }])
  assertReplicated(result)
  await assertSameFiles('killed', 'undisturbed')
})

test('a rank with parameters that are not finite keeps all from replacing the checkpoint', {
  skip: noMpi ?? false,
}, async () => {
  const config = configOf('topk', { trainTokens: 5 * batchSize, checkpointEverySeconds: 0 })
  const [result] = await trainOn(2, [{ name: 'spoiled', config, featureRanks: 2, spoil: { rank: 1 } }])
  for (const { error } of result) assert.match(error ?? '', /^diverged: .*params\.bEnc/)
  const index = JSON.parse(await readFile(join(directory, 'spoiled.partial', 'checkpoint.json'), 'utf8'))
  assert.equal(index.state.step, 4)
  assert.deepEqual(
    index.parts.map(({ rows }: { rows: unknown }) => rows),
    [
      { first: 0, count: 25 },
      { first: 25, count: 25 },
    ],
  )
})

test('uneven features are said, and ranks without work are refused', { skip: noMpi ?? false }, async () => {
  const short = { trainTokens: 2 * batchSize }
  const [uneven, few, small] = await trainOn(3, [
    { name: 'uneven', config: configOf('topk', short), featureRanks: 3 },
    { name: 'few', config: configOf('topk', { ...short, features: 2, k: 1, auxK: 1 }), featureRanks: 3 },
    { name: 'small', config: configOf('topk', { ...short, batchSize: 2 }), featureRanks: 1 },
  ])
  assert.ok(uneven[0].notes.includes('50 features on 3 ranks: 17 on 2 of them, 16 on 1'))
  for (const { error } of few) assert.match(error ?? '', /^config: .*each of 3 ranks, got 2 features/)
  for (const { error } of small) assert.match(error ?? '', /^config: .*each of 3 ranks, got --batch-size 2/)
})
