import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kernels } from '../../kernels/kernels.js'
import type { StageContext } from '../../progress/progress.js'
import { measureGeometry } from './geometry.js'
import { type Dictionary, recoverFeatures } from './recovery.js'
import { independentFeatures } from './sample-features.js'
import type { ToyConfig } from './toy-config.js'
import { importances } from './toy-model.js'
import type { ToyRecovery } from './toy-report.js'
import { trainToy } from './train-toy.js'

/** A toy model, and the autoencoders that look for its features. */
export interface RecoveryRequest {
  features: number
  dimensions: number
  density: number
  dictionaries: Dictionary[]
}

/** The models and autoencoders of the report. `sweeps` is null where none are asked for. */
export function recoveryRequests(config: ToyConfig): {
  claim: RecoveryRequest
  sweeps: { models: RecoveryRequest[]; dictionaries: RecoveryRequest } | null
} {
  const { features, dimensions, density } = config
  const claim = { features, dimensions, density, dictionaries: dictionariesOf(config, density) }
  if (!config.sweeps) return { claim, sweeps: null }
  const models = config.overcompleteness.flatMap((ratio) =>
    config.densities.map((density) => ({
      ...{ features, density, dimensions: Math.max(1, Math.round(features / ratio)) },
      dictionaries: dictionariesOf(config, density),
    })),
  )
  return { claim, sweeps: { models, dictionaries: { ...claim, dictionaries: variations(config) } } }
}

/** One dictionary for each architecture. */
function dictionariesOf(config: ToyConfig, density: number, values: Partial<ToyConfig> = {}): Dictionary[] {
  const { architectures, dictionarySize, l1Coefficient, k } = { ...config, ...values }
  const features = Math.max(1, Math.round(dictionarySize * config.features))
  return architectures.map((architecture) =>
    architecture === 'relu'
      ? { architecture, features, l1Coefficient }
      : { architecture, features, k: Math.min(features, k ?? usualK(config.features, density)) },
  )
}

/** Active features of a sample, on average, and a standard deviation: n p + sqrt(n p (1 - p)), at least 1. */
const usualK = (n: number, p: number): number => Math.max(1, Math.round(n * p + Math.sqrt(n * p * (1 - p))))

/** The claim's autoencoders with one thing changed at a time. */
function variations(config: ToyConfig): Dictionary[] {
  const changed = [
    ...config.dictionarySizes.map((dictionarySize) => ({ dictionarySize })),
    ...config.l1Coefficients.map((l1Coefficient) => ({ l1Coefficient })),
    ...config.ks.map((k) => ({ k })),
  ]
  const all = changed.flatMap((values) => dictionariesOf(config, config.density, values))
  return [...new Map(all.map((dictionary) => [JSON.stringify(dictionary), dictionary])).values()]
}

/**
 * Trains a toy model, then the autoencoders on its hidden activations.
 * @param directory for their checkpoints
 * @throws MonosemError interrupted (after saving), config
 */
export async function recoverToy(
  kernels: Kernels,
  { features, dimensions, density, dictionaries }: RecoveryRequest,
  directory: string,
  config: ToyConfig,
  context: StageContext,
): Promise<ToyRecovery> {
  const distribution = independentFeatures(features, density)
  const { toySteps: steps, toyBatch, toyLearningRate, trainSamples, learningRate, seed } = config
  const toy = await trainToy(
    kernels,
    {
      ...{ distribution, dimensions, steps, batchSize: toyBatch, learningRate: toyLearningRate, seed },
      importance: importances(features, config.importanceDecay),
    },
    context,
  )
  for (const i of dictionaries.keys()) await mkdir(join(directory, String(i)), { recursive: true })
  const options = { trainSamples, learningRate, seed, directory }
  const recoveries = await recoverFeatures(kernels, toy.model, distribution, dictionaries, options, context)
  const { represented } = measureGeometry(toy.model)
  return { features, dimensions, density, represented, loss: toy.loss, recoveries }
}
