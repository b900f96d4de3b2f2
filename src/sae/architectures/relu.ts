import type { SaeArchitecture } from './architecture.js'
import {
  allFeatures,
  balancedEncoderNorm,
  commonStepOptions,
  randomDirections,
  sparsityShare,
  subtractsDecoderBias,
} from './common.js'

/**
 * The sparse autoencoder of Bricken et al. 2023, "Towards Monosemanticity: Decomposing Language Models With Dictionary
 * Learning" (https://transformer-circuits.pub/2023/monosemantic-features), section "Sparse autoencoder setup":
 *
 *   f     = ReLU(W_enc (x - b_dec) + b_enc)
 *   x_hat = W_dec f + b_dec
 *   loss  = mean over tokens of ||x - x_hat||^2 + lambda ||f||_1
 *
 * Every decoder row has unit norm: otherwise the penalty could be dodged by small f and long rows. The component of the
 * gradient along the row is removed before Adam, and rows are put back to unit norm after it. b_dec starts at the geometric
 * median of the activations, b_enc at 0, decoder rows at random directions. Dead features are resampled.
 *
 * Two choices of ours. The paper draws the encoder by Kaiming Uniform; here it starts as the decoder's transpose, scaled so
 * that x_hat is about x - b_dec from the start. Far fewer features die at the start, which matters when a run sees millions of tokens
 * rather than billions. And lambda rises over the first steps, so that features find directions before they are made sparse.
 */
export const relu: SaeArchitecture = {
  defaults: () => ({ l1Coefficient: 3.5, deadFeatures: 'resample' }),

  form: (config) => ({ activation: { kind: 'relu' }, subtractDecoderBias: subtractsDecoderBias(config) }),

  featureStart: () => ({}),

  initialise(config, statistics, random, slice = allFeatures(config)) {
    const encoderNorm = balancedEncoderNorm(config.features, statistics.d)
    return {
      ...randomDirections(config, statistics, random, encoderNorm, slice),
      bEnc: new Float32Array(slice.count),
      bDec: statistics.median,
    }
  },

  stepOptions(config, position) {
    const lambda = config.l1Coefficient * sparsityShare(config, position)
    return {
      ...commonStepOptions(config, position),
      form: relu.form(config),
      sparsity: { kind: 'l1', coefficient: lambda, byDecoderNorm: false },
      unitNormDecoder: true,
    }
  },

  toInference: (config, arrays) => ({ arrays, form: relu.form(config) }),
}
