import type { ResolvedSaeConfig } from '../sae-config.js'
import type { SaeArchitecture } from './architecture.js'
import {
  activeFeatures,
  allFeatures,
  commonStepOptions,
  randomDirections,
  subtractsDecoderBias,
} from './common.js'

/**
 * The sparse autoencoder of Gao et al. 2024, "Scaling and evaluating sparse autoencoders" (https://arxiv.org/abs/2406.04093):
 *
 *   z     = TopK(W_enc (x - b_dec) + b_enc)         (eq. 3; what is left is also put through ReLU)
 *   x_hat = W_dec z + b_dec
 *   loss  = ||x - x_hat||^2 + alpha L_aux, alpha = 1/32
 *   L_aux = ||e - e_hat||^2, e = x - x_hat, e_hat = W_dec z_dead    (section 2.4 and appendix A.2)
 *
 * where z_dead holds the k_aux largest features among the dead ones. k sets the sparsity directly, so there is no penalty. The
 * encoder starts as the decoder's transpose (appendix A.1), decoder rows have unit norm, b_dec starts at the geometric median.
 * Ours: the paper calls a feature dead after 10 million tokens without firing; runs here are shorter, so
 * `deadAfterTokens` is an option; and epsilon of Adam is the usual 1e-8, because activations are scaled alike.
 */
export const topK: SaeArchitecture = {
  defaults: () => ({ deadFeatures: 'auxk' }),

  form: (config: ResolvedSaeConfig) => ({
    activation: { kind: 'topk', k: config.k },
    subtractDecoderBias: subtractsDecoderBias(config),
  }),

  featureStart: () => ({}),

  initialise(config, statistics, random, slice = allFeatures(config)) {
    return {
      ...randomDirections(config, statistics, random, 1, slice),
      bEnc: new Float32Array(slice.count),
      bDec: statistics.median,
    }
  },

  stepOptions(config, position) {
    return {
      ...commonStepOptions(config, position),
      form: topK.form({ ...config, k: activeFeatures(config, position) }),
      sparsity: { kind: 'none' },
      unitNormDecoder: true,
    }
  },

  toInference: (config, arrays) => ({ arrays, form: topK.form(config) }),
}
