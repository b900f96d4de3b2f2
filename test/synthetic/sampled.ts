import type { Codes, Kernels } from '../../src/kernels/kernels.js'
import { createFeatureModel, type FeatureModel } from '../../src/synthetic/feature-model.js'
import type { FeatureModelConfig } from '../../src/synthetic/feature-model-config.js'
import { createSampler } from '../../src/synthetic/sampler.js'

/** A small world with everything that the large one has: 4 trees of 1 + 3 + 9 features, and 28 without. */
export const smallWorld = {
  trueFeatures: 80,
  width: 24,
  minProbability: 0.02,
  roots: 4,
  branching: 3,
  depth: 2,
  correlationRank: 5,
  correlationScale: 0.2,
} as const

export interface Sampled {
  model: FeatureModel
  /** [N, D] */
  x: Float32Array
  codes: Codes
}

/** The first n samples of a seed. */
export async function sampled(
  kernels: Kernels,
  options: Partial<FeatureModelConfig>,
  n: number,
  { seed = 1, offset = 0 } = {},
): Promise<Sampled> {
  const model = await createFeatureModel(kernels, options)
  const sampler = createSampler(kernels, model)
  const x = kernels.zeros([n, model.d])
  const codes = await sampler.sample(x, { seed, offset })
  const content = await kernels.readF32(x)
  sampler.free()
  kernels.free(x)
  return { model, x: content, codes }
}

/** [N, G] magnitudes, 0 where a feature is inactive */
export function dense({ model, codes }: Sampled): Float32Array[] {
  return Array.from({ length: codes.rowOffsets.length - 1 }, (_, n) => {
    const row = new Float32Array(model.features)
    for (let i = codes.rowOffsets[n]; i < codes.rowOffsets[n + 1]; i++)
      row[codes.featureIds[i]] = codes.values[i]
    return row
  })
}

/** [G] share of the samples in which each feature is active */
export function firingRates({ model, codes }: Sampled): Float64Array {
  const rates = new Float64Array(model.features)
  const n = codes.rowOffsets.length - 1
  for (const id of codes.featureIds) rates[id] += 1 / n
  return rates
}
