import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { ActivationSource } from '../sae/activation-source.js'
import type { FeatureModel } from './feature-model.js'
import { createSampler } from './sampler.js'

/**
 * Activations of a world whose features are known: batch b holds samples b batchSize .. (b + 1) batchSize - 1 of the seed, so that no two batches share
 * a sample and any batch can be had without those before it.
 */
export function createSyntheticSource(
  kernels: Kernels,
  model: FeatureModel,
  { seed }: { seed: number },
): ActivationSource {
  return {
    d: model.d,
    metadata: { synthetic: true, sampleSeed: seed, ...model.config },
    batches: (options) => batches(kernels, model, seed, options),
    locate: ({ batch, row, batchSize }) => `sample ${batch * batchSize + row} of seed ${seed}`,
  }
}

async function* batches(
  kernels: Kernels,
  model: FeatureModel,
  seed: number,
  { batchSize, skip }: { batchSize: number; skip: number },
): AsyncGenerator<Tensor> {
  const sampler = createSampler(kernels, model)
  const x = kernels.zeros([batchSize, model.d])
  try {
    for (let batch = skip; ; batch++) {
      sampler.fill(x, { seed, offset: batch * batchSize })
      yield x
    }
  } finally {
    kernels.free(x)
    sampler.free()
  }
}
