import { join } from 'node:path'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import type { ActivationSource } from '../sae/activation-source.js'
import { resolveSaeConfig } from '../sae/resolve-config.js'
import type { ResolvedSaeConfig } from '../sae/sae-config.js'
import { type SaeMetrics, trainSaes } from '../sae/sae-stage.js'
import { openStage, readStageJson } from '../storage/open-stage.js'
import type { StageResult } from '../storage/stage.js'
import type { FeatureModelConfig } from './feature-model-config.js'
import { type LazyFeatureModel, lazyFeatureModel, runFeatureModelStage } from './feature-model-stage.js'
import { type RecoveryReport, runRecoveryStage } from './recovery-stage.js'
import { type SyntheticConfig, splitSyntheticConfig } from './synthetic-config.js'
import { createSyntheticSource } from './synthetic-source.js'

/** One autoencoder to train on a feature model. */
export interface SyntheticRequest {
  config: SyntheticConfig
  /** directory that gets the stages `sae` and `recovery` */
  directory: string
}

/** What is known of an autoencoder that was trained on a feature model. */
export interface SyntheticRun extends RecoveryReport {
  directory: string
  config: ResolvedSaeConfig
  /** samples that it was trained on */
  trainSamples: number
  /** seconds of training, data included, over all starts; those of all that trained on one stream */
  seconds: number
  samplesPerSecond: number
}

/**
 * Trains autoencoders on one stream of samples of a feature model and compares each with the true features. Three kinds of stages:
 * `feature-model`, and in the directory of each autoencoder `sae` and `recovery`. Started again, finished ones are reused and training goes on from its
 * checkpoints.
 * @param requests all of the same world
 * @throws MonosemError config, diverged (after the others are done), and those of the stages
 */
export async function trainSynthetic(
  requests: readonly SyntheticRequest[],
  featureModelDirectory: string,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult[]> {
  const { kernels } = context
  const parts = requests.map(({ config }) => splitSyntheticConfig(config))
  const [{ world, sae: first }] = parts
  // what makes no sense is said before the world is made
  for (const { sae } of parts) resolveSaeConfig(sae, world.width)
  const model = lazyFeatureModel(kernels, world)
  await runFeatureModelStage(world, featureModelDirectory, model)
  const source = lazySource(kernels, model, world, first.streamSeed ?? first.seed)
  const members = parts.map(({ sae }, i) => ({ config: sae, out: join(requests[i].directory, 'sae') }))
  const trained = await trainSaes(
    members,
    { source, inputs: { 'feature-model': featureModelDirectory } },
    context,
  )
  const results: StageResult[] = []
  for (const [i, { recovery }] of parts.entries()) {
    const paths = {
      sae: trained[i].directory,
      featureModel: featureModelDirectory,
      out: join(requests[i].directory, 'recovery'),
    }
    results.push(await runRecoveryStage(recovery, paths, model, context))
  }
  return results
}

/** `createSyntheticSource` of a feature model that is made when the first sample is asked for. */
function lazySource(
  kernels: Kernels,
  model: LazyFeatureModel,
  world: FeatureModelConfig,
  seed: number,
): ActivationSource {
  return {
    d: world.width,
    metadata: { synthetic: true, sampleSeed: seed, ...world },
    async *batches(options) {
      yield* createSyntheticSource(kernels, await model(), { seed }).batches(options)
    },
  }
}

/**
 * Reads what `trainSynthetic` left of one autoencoder.
 * @param directory that of the request
 * @throws MonosemError missing, corrupt
 */
export async function readSyntheticRun(directory: string): Promise<SyntheticRun> {
  const recovery = await readStageJson<RecoveryReport>(
    join(directory, 'recovery'),
    'recovery',
    'recovery.json',
  )
  const sae = await openStage<ResolvedSaeConfig>(join(directory, 'sae'), 'sae')
  const metrics = await sae.json<SaeMetrics>('metrics.json')
  const trainSamples = metrics.steps * sae.config.batchSize
  return {
    directory,
    config: sae.config,
    ...recovery,
    trainSamples,
    seconds: trainSamples / metrics.samplesPerSecond,
    samplesPerSecond: metrics.samplesPerSecond,
  }
}

/** A short name for the autoencoder of a configuration: its architecture, and what decides how sparse it is. */
export function nameOfRun(config: ResolvedSaeConfig): string {
  const { architecture } = config
  if (['topk', 'batchtopk', 'matryoshka'].includes(architecture)) return `${architecture}, K ${config.k}`
  const [symbol, value] = architecture.startsWith('jumprelu')
    ? ['l0', config.l0Coefficient]
    : ['l1', config.l1Coefficient]
  return `${architecture}, ${symbol} ${value}`
}
