import type { SaeArchitecture } from './architecture.js'
import {
  balancedEncoderNorm,
  centredBias,
  commonStepOptions,
  randomDirections,
  sparsityShare,
} from './common.js'

/**
 * The JumpReLU autoencoder of Rajamanoharan et al. 2024, "Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse
 * Autoencoders" (https://arxiv.org/abs/2407.14435): a threshold theta_j for each feature, and the number of active features itself as
 * penalty (eqs. 5 and 9).
 *
 *   pre   = W_enc x + b_enc
 *   f     = pre H(pre - theta)
 *   x_hat = W_dec f + b_dec
 *   loss  = ||x - x_hat||^2 + lambda sum_j H(pre_j - theta_j)
 *
 * theta has a gradient through a window of width `bandwidth` around it (eqs. 11 and 12, rectangle kernel). Unit decoder rows, nothing is
 * subtracted from x. The paper's numbers are for activations of mean square norm 1: bandwidth and first threshold 0.001,
 * lambda 6e-4 for an L0 of about 70 (Lieberum et al. 2024, "Gemma Scope"). Here activations are sqrt(D) times as long, which
 * multiplies the first two by sqrt(D) and lambda by D.
 *
 * Ours: theta itself is learned, where the paper learns its logarithm; the start is centred, with b_dec at the geometric median and
 * b_enc = -W_enc (mean x), and the encoder is scaled as in `relu.ts`, because runs are short.
 */
export const jumpRelu: SaeArchitecture = {
  defaults: (d) => ({
    l0Coefficient: 6e-4 * d,
    bandwidth: 0.001 * Math.sqrt(d),
    initialThreshold: 0.001 * Math.sqrt(d),
    deadFeatures: 'none',
  }),

  form: () => ({ activation: { kind: 'jumprelu' }, subtractDecoderBias: false }),

  featureStart: (config) => ({ threshold: config.initialThreshold }),

  initialise(config, statistics, random) {
    const encoderNorm = balancedEncoderNorm(config.features, statistics.d)
    const { wEnc, wDec } = randomDirections(config, statistics, random, encoderNorm)
    return { wEnc, bEnc: centredBias(wEnc, statistics.mean), wDec, bDec: statistics.median }
  },

  stepOptions(config, position) {
    const lambda = config.l0Coefficient * sparsityShare(config, position)
    return {
      ...commonStepOptions(config, position),
      form: jumpRelu.form(config),
      sparsity: { kind: 'l0', coefficient: lambda, bandwidth: config.bandwidth },
      unitNormDecoder: true,
    }
  },

  toInference: (config, arrays) => ({ arrays, form: jumpRelu.form(config) }),
}
