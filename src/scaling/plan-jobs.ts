import { parseConfig } from '../config/parse-config.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type SaeConfig, saeConfigSchema } from '../sae/sae-config.js'
import type { ScalingConfig } from './scaling-config.js'
import { denseFlopsPerToken } from './training-compute.js'

/** One autoencoder of a sweep: a point of its plots. */
export interface ScalingJob {
  /** of its directory */
  name: string
  features: number
  steps: number
  tokens: number
  /** k, or the weight of the penalty */
  sparsity: number
  seed: number
  /** FLOP, see `denseFlopsPerToken` */
  compute: number
  sae: SaeConfig
}

export interface ScalingPlan {
  /** shortest first */
  jobs: ScalingJob[]
  /** combinations that were left out, in words */
  leftOut: string[]
}

const byCount = new Set<string>(['topk', 'batchtopk', 'matryoshka'])

/**
 * The jobs of a sweep. Each is a training of its own, from its first step to its last, with the learning rate at 0 in the end where it falls
 * (Templeton et al. 2024). A long training that is measured on its way would be cheaper, but a learning rate that is still high makes
 * its early losses too large, most so for the large sizes, and tilts the laws (Hoffmann et al. 2022, section 3, on language models). Gao et
 * al. 2024 keep the rate constant: then both are the same, and `learningRateSchedule: 'constant'` does that.
 *
 * All read the same stream of activations, so that they differ in nothing but their size and length; seeds change the first weights.
 * @param d D, width of the activations
 * @throws MonosemError config (budgets and steps, or neither; nothing left to train)
 */
export function planJobs(config: ScalingConfig, d: number): ScalingPlan {
  if ((config.budgets === undefined) === (config.steps === undefined))
    throw new MonosemError(
      'config',
      `scaling: expected budgets or steps, got ${config.steps === undefined ? 'neither' : 'both'}`,
      { hint: 'for example --budgets 1e12 2e12 4e12 8e12 16e12, or --steps 100 200 400 800' },
    )
  const jobs = new Map<string, ScalingJob>()
  const leftOut: string[] = []
  for (const features of config.features) {
    const lengths = stepsOf(config, features, d)
    const { minimumSteps, maximumSteps = Infinity } = config
    const short = lengths.filter((steps) => steps < minimumSteps)
    const long = lengths.filter((steps) => steps > maximumSteps)
    if (short.length > 0)
      leftOut.push(`${features} features for ${short.join(', ')} steps (< ${minimumSteps})`)
    if (long.length > 0) leftOut.push(`${features} features for ${long.join(', ')} steps (> ${maximumSteps})`)
    for (const sparsity of config.sparsities ?? [defaultSparsity(config, d)]) {
      if (byCount.has(config.architecture) && sparsity > features) {
        leftOut.push(`${features} features with k = ${sparsity}`)
        continue
      }
      for (const steps of lengths.filter((n) => n >= minimumSteps && n <= maximumSteps))
        for (const seed of config.seeds) {
          const job = jobOf(config, { features, steps, sparsity, seed }, d)
          jobs.set(job.name, job)
        }
    }
  }
  if (jobs.size === 0)
    throw new MonosemError(
      'config',
      `scaling: nothing is left to train: left out are ${leftOut.join('; ')}`,
      {
        hint: 'raise --budgets or --steps, or lower --batch-size',
      },
    )
  return { jobs: [...jobs.values()].sort((a, b) => a.steps - b.steps || a.features - b.features), leftOut }
}

function stepsOf({ budgets, steps, batchSize }: ScalingConfig, features: number, d: number): number[] {
  const perStep = batchSize * denseFlopsPerToken(d, features)
  return budgets ? budgets.map((budget) => Math.round(budget / perStep)) : (steps as number[])
}

function defaultSparsity({ architecture }: ScalingConfig, d: number): number {
  if (byCount.has(architecture)) return 32
  return architecture === 'jumprelu' ? 0.002 * d : architecture === 'relu' ? 3.5 : 5
}

function jobOf(
  config: ScalingConfig,
  { features, steps, sparsity, seed }: Pick<ScalingJob, 'features' | 'steps' | 'sparsity' | 'seed'>,
  d: number,
): ScalingJob {
  const { architecture } = config
  const option = byCount.has(architecture)
    ? 'k'
    : architecture === 'jumprelu'
      ? 'l0Coefficient'
      : 'l1Coefficient'
  const tokens = steps * config.batchSize
  const own = { features, trainTokens: tokens, seed, [option]: sparsity, streamSeed: config.streamSeed ?? 0 }
  const learningRate = config.learningRate * (features / 4096) ** -config.learningRatePower
  // what counts is measured on text that was held out; a batch of the stream is the least
  const given = { ...config, ...own, learningRate, measureTokens: config.batchSize }
  const known = Object.entries(given).filter(([name]) => name in saeConfigSchema.shape)
  return {
    name: `features-${features}_steps-${steps}_${byCount.has(architecture) ? 'k' : 'lambda'}-${sparsity}_seed-${seed}`,
    ...{ features, steps, tokens, sparsity, seed },
    compute: tokens * denseFlopsPerToken(d, features),
    sae: parseConfig(saeConfigSchema, Object.fromEntries(known)),
  }
}
