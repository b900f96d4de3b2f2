import type { SaeArchitecture } from './architecture.js'
import { activeFeatures, commonStepOptions, subtractsDecoderBias } from './common.js'
import { topK } from './topk.js'

/**
 * The autoencoder of Bussmann et al. 2024, "BatchTopK Sparse Autoencoders" (https://arxiv.org/abs/2412.06410): as `topk.ts`, but the
 * N k largest positive pre-activations of a whole batch of N tokens are kept, so that a token gets as many features as it
 * needs and k on average (eq. 2).
 *
 * For inference a token must not depend on others: the smallest activation kept in a batch, averaged over the batches of training
 * (eq. 3), becomes the threshold of a JumpReLU autoencoder. That is the form in which it is measured and saved.
 */
export const batchTopK: SaeArchitecture = {
  defaults: topK.defaults,

  form: (config) => ({
    activation: { kind: 'batchtopk', k: config.k },
    subtractDecoderBias: subtractsDecoderBias(config),
  }),

  featureStart: topK.featureStart,
  initialise: topK.initialise,

  stepOptions(config, position) {
    return {
      ...commonStepOptions(config, position),
      form: batchTopK.form({ ...config, k: activeFeatures(config, position) }),
      sparsity: { kind: 'none' },
      unitNormDecoder: true,
    }
  },

  toInference: (config, arrays, threshold) => ({
    arrays: { ...arrays, threshold: new Float32Array(arrays.bEnc.length).fill(threshold) },
    form: { activation: { kind: 'jumprelu' }, subtractDecoderBias: subtractsDecoderBias(config) },
  }),
}
