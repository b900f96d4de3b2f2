import { join } from 'node:path'
import type { Kernels } from '../kernels/kernels.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { type Json, runStage, type StageResult } from '../storage/stage.js'
import { createFeatureModel, type FeatureModel } from './feature-model.js'
import type { FeatureModelConfig } from './feature-model-config.js'

/** A feature model that is made when somebody first needs it: that takes a while, and what is finished already does not need it. */
export type LazyFeatureModel = () => Promise<FeatureModel>

export function lazyFeatureModel(kernels: Kernels, config: FeatureModelConfig): LazyFeatureModel {
  let model: Promise<FeatureModel> | null = null
  return () => (model ??= createFeatureModel(kernels, config))
}

/** What feature-model.json of the `feature-model` stage holds. */
interface FeatureModelSummary {
  /** true features */
  features: number
  /** width of the activations */
  d: number
  /** expected number of active true features per sample */
  l0: number
}

/**
 * Runs the `feature-model` stage, which fixes the world that autoencoders are trained on: its configuration makes all of it again, so the directory
 * holds that and a summary.
 * @throws MonosemError config (the directory is there with another world), io
 */
export async function runFeatureModelStage(
  config: FeatureModelConfig,
  out: string,
  model: LazyFeatureModel,
): Promise<StageResult> {
  const request = {
    stage: 'feature-model',
    out,
    config: config as Record<string, Json>,
    inputs: {},
    seed: config.modelSeed,
  }
  return runStage(request, async (partial) => {
    const { features, d, probabilities } = await model()
    const summary: FeatureModelSummary = { features, d, l0: probabilities.reduce((a, b) => a + b, 0) }
    await writeFileAtomic(join(partial, 'feature-model.json'), `${JSON.stringify(summary, null, 2)}\n`)
  })
}
