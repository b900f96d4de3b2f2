import type { Kernels, Tensor } from '../../kernels/kernels.js'
import type { ActivationSource } from '../../sae/activation-source.js'
import { type FeatureDistribution, sampleFeatures } from './sample-features.js'
import type { ToyModel } from './toy-model.js'

/**
 * The hidden activations h = W x [batchSize, m] of a toy model, for an autoencoder to train on. They have no noise and no bias: samples
 * without any active feature are exactly 0.
 */
export function createHiddenSource(
  kernels: Kernels,
  { features, dimensions, w }: ToyModel,
  distribution: FeatureDistribution,
  seed: number,
): ActivationSource {
  return {
    d: dimensions,
    metadata: { dataset: 'toy model of superposition' },
    async *batches({ batchSize, skip }): AsyncGenerator<Tensor> {
      const directions = kernels.tensor(w, [features, dimensions])
      const x = kernels.zeros([batchSize, features])
      const h = kernels.zeros([batchSize, dimensions])
      try {
        for (let index = skip; ; index++) {
          kernels.write(x, sampleFeatures(distribution, { stream: 'autoencoder', seed, index, batchSize }))
          kernels.linearForward(h, x, directions, null)
          yield h
        }
      } finally {
        for (const tensor of [directions, x, h]) kernels.free(tensor)
      }
    },
  }
}
