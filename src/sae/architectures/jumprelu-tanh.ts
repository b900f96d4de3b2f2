import { foldDecoderNorms } from '../fold.js'
import type { InitialStatistics } from '../initial-statistics.js'
import { isTranscoder } from '../sae-config.js'
import { rowNorm } from '../sae-params.js'
import type { SaeArchitecture } from './architecture.js'
import {
  allFeatures,
  centredBias,
  commonStepOptions,
  sliceOfRows,
  sparsityShare,
  upperQuantile,
} from './common.js'

/**
 * The JumpReLU autoencoder of Conerly et al. 2025, "Dictionary Learning Optimization Techniques" (Circuits Updates, January 2025,
 * https://transformer-circuits.pub/2025/january-update):
 *
 *   theta = exp(t)
 *   f     = pre H(pre - theta), pre = W_enc x + b_enc
 *   x_hat = W_dec f + b_dec
 *   loss  = ||x - x_hat||^2 + lambda_S sum_j tanh(c f_j ||W_dec_j||) + lambda_P sum_j ReLU(theta_j - pre_j) ||W_dec_j||
 *
 * The tanh counts active features smoothly; the last term pulls features that do not fire back towards their threshold, so that few
 * die. c 4, lambda_P 3e-6, bandwidth 2, theta 0.1 at the start; lambda_S is reached linearly at the end of training; the learning
 * rate falls over the last 20%; gradient clipped at norm 1. Decoder rows are free, and brought to norm 1 when trained.
 *
 * Start: W_dec uniform in [-1/D, 1/D], W_enc = (D/F) W_dec, b_dec 0, and b_enc such that each feature fires on 10,000/F of the tokens.
 * Ours: on at most 1 in 16 (small dictionaries would be dense); b_enc is set from the mean and the variance of the
 * activations as if projections were normal; and lambda_S is 5 instead of 20, which on the demo's model gives an L0 of about 30.
 */
export const jumpReluTanh: SaeArchitecture = {
  defaults: () => ({
    l0Coefficient: 5,
    bandwidth: 2,
    initialThreshold: 0.1,
    gradientClip: 1,
    sparsityWarmupFraction: 1,
    deadFeatures: 'none',
  }),

  form: () => ({ activation: { kind: 'jumprelu', logThreshold: true }, subtractDecoderBias: false }),

  featureStart: (config) => ({ threshold: Math.log(config.initialThreshold) }),

  initialise(config, statistics, random, slice = allFeatures(config)) {
    const { features } = config
    const { d, dOut } = statistics
    const uniformRows = (width: number) =>
      sliceOfRows(features, slice, random, width, (count) =>
        Float32Array.from({ length: count * width }, () => (2 * random.uniform() - 1) / width),
      )
    const wDec = uniformRows(dOut)
    const source = isTranscoder(config) ? uniformRows(d) : wDec
    const wEnc = source.map((w) => (w * d) / features)
    const density = Math.min(1 / 16, 10_000 / features)
    const bEnc = firingBias(wEnc, statistics, config.initialThreshold, density)
    return { wEnc, bEnc, wDec, bDec: new Float32Array(dOut) }
  },

  stepOptions(config, position) {
    return {
      ...commonStepOptions(config, position),
      form: jumpReluTanh.form(config),
      sparsity: {
        kind: 'tanh',
        coefficient: config.l0Coefficient * sparsityShare(config, position),
        scale: config.tanhScale,
        bandwidth: config.bandwidth,
        preAct: config.preActCoefficient,
      },
      unitNormDecoder: false,
    }
  },

  toInference(config, arrays) {
    const folded = { ...arrays, threshold: arrays.threshold?.map(Math.exp) }
    foldDecoderNorms(folded)
    return { arrays: folded, form: { ...jumpReluTanh.form(config), activation: { kind: 'jumprelu' } } }
  },
}

/** b_enc with which W_enc x + b_enc is above the threshold on a share of the tokens, if projections are normal. */
function firingBias(
  wEnc: Float32Array,
  { d, mean, inputVariance }: InitialStatistics,
  threshold: number,
  density: number,
): Float32Array {
  const deviation = Math.sqrt(inputVariance / d)
  return centredBias(wEnc, mean).map((bias, j) => {
    const spread = deviation * rowNorm(wEnc.subarray(j * d, (j + 1) * d))
    return bias + threshold - upperQuantile(density) * spread
  })
}
