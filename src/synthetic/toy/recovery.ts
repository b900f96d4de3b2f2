import { join } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import type { Kernels } from '../../kernels/kernels.js'
import type { StageContext } from '../../progress/progress.js'
import { resolveSaeConfig } from '../../sae/resolve-config.js'
import { type SaeConfig, saeConfigSchema } from '../../sae/sae-config.js'
import { type TrainedAndMeasured, trainTogether } from '../../sae/train-together.js'
import { measureGeometry, representedNorm } from './geometry.js'
import { createHiddenSource } from './hidden-source.js'
import { meanMaxCosine, recoveredCosine } from './mean-max-cosine.js'
import type { FeatureDistribution } from './sample-features.js'
import type { ToyModel } from './toy-model.js'

/** What an autoencoder for a toy model may differ in. */
export type Dictionary =
  | { architecture: 'relu'; features: number; l1Coefficient: number }
  | { architecture: 'topk' | 'batchtopk'; features: number; k: number }

/** How much of a toy model's features one autoencoder found in its hidden activations. */
export interface Recovery {
  dictionary: Dictionary
  /** mean over all true features of the largest cosine with a decoder row of a feature that is alive */
  trueToLearned: number
  /** mean over the learned features that are alive of the largest cosine with a true one; null when none is alive */
  learnedToTrue: number | null
  /** learned features that fired on the samples it was measured on */
  alive: number
  /** share of all true features with a cosine of at least 0.95 */
  recovered: number
  /** the same share of those that the toy model represents (||W_i|| > 0.5); null when it represents none */
  recoveredOfRepresented: number | null
  /** mean number of active features per sample */
  l0: number
  explainedVariance: number
}

export interface RecoveryTraining {
  /** samples that each autoencoder trains on */
  trainSamples: number
  /** peak learning rate */
  learningRate: number
  seed: number
  /** folder of this training's checkpoints */
  directory: string
}

const batchSize = 512
/** Samples on which autoencoders are measured: enough for every true feature to be active on about a hundred of them. */
const measureSamples = (density: number): number => Math.max(131_072, Math.ceil(100 / density))

/**
 * Trains autoencoders on the hidden activations of a toy model, all on one stream, and compares their decoder rows with its W_i.
 * @returns in the order of the dictionaries; null for one that diverged
 * @throws MonosemError interrupted (after saving), config
 */
export async function recoverFeatures(
  kernels: Kernels,
  model: ToyModel,
  distribution: FeatureDistribution,
  dictionaries: readonly Dictionary[],
  { directory, ...options }: RecoveryTraining,
  context: StageContext,
): Promise<(Recovery | null)[]> {
  const source = createHiddenSource(kernels, model, distribution, options.seed)
  const requests = dictionaries.map((dictionary, i) => ({
    config: resolveSaeConfig(saeOptions(dictionary, distribution, options), model.dimensions),
    directory: join(directory, String(i)),
  }))
  const trained = await trainTogether(kernels, source, requests, context)
  return trained.map((result, i) =>
    result instanceof MonosemError ? null : compare(model, dictionaries[i], result),
  )
}

function saeOptions(
  dictionary: Dictionary,
  { density }: FeatureDistribution,
  { trainSamples, learningRate, seed }: Omit<RecoveryTraining, 'directory'>,
): SaeConfig {
  return saeConfigSchema.parse({
    ...dictionary,
    ...{ batchSize, learningRate, seed, trainTokens: trainSamples, measureTokens: measureSamples(density) },
    hookName: 'toy.hidden',
    logEverySteps: 1000,
  })
}

/** Compares decoder rows with true directions; dead features are left out. */
export function compare(
  model: ToyModel,
  dictionary: Dictionary,
  { arrays, measured }: Pick<TrainedAndMeasured, 'arrays' | 'measured'>,
): Recovery {
  const { dimensions, features, w } = model
  const alive = [...measured.frequencies.keys()].filter((j) => measured.frequencies[j] > 0)
  const rows = new Float32Array(alive.length * dimensions)
  for (const [row, j] of alive.entries())
    rows.set(arrays.wDec.subarray(j * dimensions, (j + 1) * dimensions), row * dimensions)
  const { trueToLearned, learnedToTrue, bestOfTrue } = meanMaxCosine(w, rows, dimensions)
  const { norms, represented } = measureGeometry(model)
  const found = [...bestOfTrue.keys()].filter((i) => bestOfTrue[i] >= recoveredCosine)
  const foundRepresented = found.filter((i) => norms[i] > representedNorm)
  return {
    ...{ dictionary, trueToLearned, learnedToTrue, alive: alive.length },
    recovered: found.length / features,
    recoveredOfRepresented: represented === 0 ? null : foundRepresented.length / represented,
    l0: measured.l0,
    explainedVariance: measured.explainedVariance,
  }
}
