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
import { type RankState, smallSource, type TrainJob } from './train-job.js'

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
  gated: { l1Coefficient: 3, resampleAt: [0.25, 0.5] },
}

const configOf = (architecture: string, values: Partial<SaeConfig> = {}): SaeConfig =>
  saeConfigSchema.parse({
    architecture,
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
    ...configs[architecture],
    ...values,
  })

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-training-'))
  for (const architecture of Object.keys(configs))
    await trainAlone(`alone-${architecture}`, configOf(architecture))
})
after(() => rm(directory, { recursive: true }))

async function trainAlone(name: string, config: SaeConfig): Promise<void> {
  const kernels = await loadKernels({ threads: 1, implementation: 'native' })
  const paths = { source: smallSource(kernels), out: join(directory, name), inputs: {} }
  await runSaeStage(config, paths, { kernels, progress: silentProgress })
}

/** Trains on several ranks; what each rank had at the end of each job. */
async function trainOn(
  ranks: number,
  jobs: (Omit<TrainJob, 'out'> & { name: string })[],
): Promise<RankState[][]> {
  const withPaths = jobs.map(({ name, ...job }) => ({ ...job, out: join(directory, name) }))
  const { code, stdout, stderr } = await runRanks(ranks, 'test/distributed/programs/train.js', [
    JSON.stringify(withPaths),
  ])
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

/** Ranks, and how many of them share the features. */
const meshes: [number, number][] = [
  [2, 2],
  [3, 3],
  [4, 4],
  [4, 1],
  [4, 2],
]
for (const [ranks, featureRanks] of meshes)
  test(`${featureRanks} x ${ranks / featureRanks} ranks have the losses of one rank`, {
    skip: noMpi ?? false,
  }, async () => {
    const names = Object.keys(configs)
    const mesh = `${featureRanks}x${ranks / featureRanks}`
    const jobs = names.map((architecture) => ({
      name: `${mesh}-${architecture}`,
      config: configOf(architecture),
      featureRanks,
    }))
    const results = await trainOn(ranks, jobs)
    for (const [i, architecture] of names.entries()) {
      assertReplicated(results[i])
      const difference = await lossDifference(`${mesh}-${architecture}`, `alone-${architecture}`)
      if (process.env.SHOW) console.log(mesh, architecture, difference)
      assert.ok(difference < 1e-4, `${mesh} ${architecture}: ${difference}`)
    }
  })
void cp
void readdir
