import { foldDecoderNorms } from '../fold.js'
import type { SaeArchitecture } from './architecture.js'
import { allFeatures, commonStepOptions, randomDirections, sparsityShare } from './common.js'

/** Norm of decoder rows at the start. */
const startNorm = 0.1

/**
 * The sparse autoencoder of Templeton et al. 2024, "Scaling Monosemanticity" (https://transformer-circuits.pub/2024/scaling-monosemanticity),
 * trained as in Conerly et al. 2024, "Update on how we train SAEs" (Circuits Updates, April 2024,
 * https://transformer-circuits.pub/2024/april-update):
 *
 *   f     = ReLU(W_enc x + b_enc)
 *   x_hat = W_dec f + b_dec
 *   loss  = mean over tokens of ||x - x_hat||^2 + lambda sum_j f_j ||W_dec_j||
 *
 * Decoder rows are free: their norms in the penalty leave nothing to gain from small f and long rows, and nothing is projected or
 * divided. Rows start at norm 0.1 in random directions, W_enc = W_dec, biases 0. lambda is 5 and rises over the first 5% of the steps;
 * the learning rate falls to 0 over the last 20%; the gradient is clipped at norm 1. Dead features are few and left alone.
 * When trained, norms are moved into the encoder: f_j ||W_dec_j|| becomes the activation of feature j.
 */
export const reluNorm: SaeArchitecture = {
  defaults: () => ({ l1Coefficient: 5, gradientClip: 1, sparsityWarmupFraction: 0.05, deadFeatures: 'none' }),

  form: () => ({ activation: { kind: 'relu' }, subtractDecoderBias: false }),

  featureStart: () => ({}),

  initialise(config, statistics, random, slice = allFeatures(config)) {
    const { wEnc, wDec } = randomDirections(config, statistics, random, startNorm, slice)
    return {
      wEnc,
      bEnc: new Float32Array(slice.count),
      wDec: wDec.map((w) => w * startNorm),
      bDec: new Float32Array(statistics.dOut),
    }
  },

  stepOptions(config, position) {
    const lambda = config.l1Coefficient * sparsityShare(config, position)
    return {
      ...commonStepOptions(config, position),
      form: reluNorm.form(config),
      sparsity: { kind: 'l1', coefficient: lambda, byDecoderNorm: true },
      unitNormDecoder: false,
    }
  },

  toInference(config, arrays) {
    foldDecoderNorms(arrays)
    return { arrays, form: reluNorm.form(config) }
  },
}
