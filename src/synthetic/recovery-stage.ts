import { join } from 'node:path'
import { writeSafetensors } from '../formats/safetensors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { Random } from '../random/random.js'
import { loadSae } from '../sae/sae.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { type Json, runStage, type StageResult } from '../storage/stage.js'
import type { FeatureModel } from './feature-model.js'
import type { LazyFeatureModel } from './feature-model-stage.js'
import { type LabelledSamples, type LatentRecovery, measureRecovery, type Recovery } from './recovery.js'
import { type GroupRecovery, recoveryGroups } from './recovery-groups.js'
import { recoveryReport } from './recovery-report.js'
import { createSampler } from './sampler.js'
import type { RecoveryConfig } from './synthetic-config.js'

/** The finished stages that `recovery` reads, and where it writes. */
export interface RecoveryPaths {
  sae: string
  featureModel: string
  out: string
}

/** What recovery.json holds. */
export interface RecoveryReport extends Recovery {
  /** the figures by the place of true features in the hierarchy */
  groups: GroupRecovery[]
}

/**
 * Runs the `recovery` stage: compares an autoencoder with the true features of the world it was trained on. Writes recovery.json (`RecoveryReport`),
 * latents.safetensors (what each latent was found to be) and report.html. It takes a minute or two and keeps no checkpoint.
 * @throws MonosemError missing, shape (the autoencoder is not of this world), diverged, corrupt, io, interrupted
 */
export async function runRecoveryStage(
  config: RecoveryConfig,
  { sae: directory, featureModel, out }: RecoveryPaths,
  model: LazyFeatureModel,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const inputs = { 'feature-model': featureModel, sae: directory }
  const request = { stage: 'recovery', out, config: config as Record<string, Json>, inputs }
  return runStage(request, async (partial) => {
    const { kernels } = context
    const world = await model()
    using sae = await loadSae(kernels, directory)
    const { latents, ...figures } = await onHeldOut(kernels, world, (truth) =>
      measureRecovery(sae, truth, { samples: config.evaluationSamples }, context),
    )
    const recovery: RecoveryReport = { ...figures, groups: recoveryGroups(latents, world) }
    await writeFileAtomic(join(partial, 'recovery.json'), `${JSON.stringify(recovery, null, 2)}\n`)
    await writeLatents(join(partial, 'latents.safetensors'), latents)
    await writeFileAtomic(join(partial, 'report.html'), await recoveryReport(recovery, latents, world))
  })
}

/** Hands over samples that nothing was trained on: the same ones for every autoencoder of a world, whatever the seed of its own stream. */
async function onHeldOut<R>(
  kernels: Kernels,
  world: FeatureModel,
  use: (truth: LabelledSamples) => Promise<R>,
): Promise<R> {
  const sampler = createSampler(kernels, world)
  const directions = kernels.tensor(world.directions, [world.features, world.d])
  const seed = Random.named(world.config.modelSeed, 'held-out samples').uint32()
  try {
    return await use({ directions, sample: (x, offset) => sampler.sample(x, { seed, offset }) })
  } finally {
    kernels.free(directions)
    sampler.free()
  }
}

async function writeLatents(path: string, { match, detection }: LatentRecovery): Promise<void> {
  const numbers = (data: ArrayLike<number>) => ({ shape: [data.length], data: Float32Array.from(data) })
  const ids = (data: Int32Array) => ({ shape: [data.length], data })
  await writeSafetensors(path, {
    nearest: ids(match.nearest),
    nearest_cosine: numbers(match.nearestCosine),
    matched: ids(match.matched),
    precision: numbers(detection.precision),
    recall: numbers(detection.recall),
    f1: numbers(detection.f1),
    fired: numbers(detection.fired),
  })
}
