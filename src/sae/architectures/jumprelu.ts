import type { ResolvedSaeConfig } from '../sae-config.js'
import type { SaeArchitecture } from './architecture.js'
import {
  balancedEncoderNorm,
  centredBias,
  commonStepOptions,
  randomDirections,
  sparsityShare,
  upperQuantile,
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
 * subtracted from x.
 *
 * Ours: theta itself is learned, where the paper learns its logarithm, and the start is made for short runs. Adam moves a threshold by
 * no more than the learning rate in a step, and the paper's first thresholds (0.001 for activations of mean square norm 1)
 * need billions of tokens to get where they belong: on the demo's model L0 was still above 400 after 300 steps. So thresholds start at
 * 0.05 and have a bandwidth of 0.02; here activations are sqrt(D) times as long, which multiplies both by sqrt(D), and
 * lambda, 0.002, by D. The start is centred, with b_dec at the geometric median and b_enc = -W_enc (mean x), and encoder
 * rows are as long as it takes for x_hat to be about x at first, see `startNorm`.
 */
export const jumpRelu: SaeArchitecture = {
  defaults: (d) => ({
    l0Coefficient: 0.002 * d,
    bandwidth: 0.02 * Math.sqrt(d),
    initialThreshold: 0.05 * Math.sqrt(d),
    deadFeatures: 'none',
  }),

  form: () => ({ activation: { kind: 'jumprelu' }, subtractDecoderBias: false }),

  featureStart: (config) => ({ threshold: config.initialThreshold }),

  initialise(config, statistics, random, slice) {
    const encoderNorm = startNorm(config, statistics.d)
    const { wEnc, wDec } = randomDirections(config, statistics, random, encoderNorm, slice)
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

/**
 * Norm of encoder rows at which pre-activations, whose standard deviation is about that norm, pass the first threshold for D/4 features
 * at a time, or 1 in 16 if that is less; between the norm that suits a threshold of 0 and 1.
 */
function startNorm({ features, initialThreshold }: ResolvedSaeConfig, d: number): number {
  const share = Math.min(1 / 16, d / (4 * features))
  const norm = initialThreshold / upperQuantile(share)
  return Math.min(1, Math.max(balancedEncoderNorm(features, d), norm))
}
