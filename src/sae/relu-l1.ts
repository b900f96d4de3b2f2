import { adamOptions } from './adam-options.js'
import type { SaeArchitecture } from './architecture.js'
import { fillUnitRows } from './sae-params.js'
import { warmUp } from './schedule.js'

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
 * median of the activations, b_enc at 0, decoder rows at random directions.
 *
 * Two choices of ours. The paper draws the encoder by Kaiming Uniform; here it starts as the decoder's transpose, scaled so
 * that x_hat is about x - b_dec from the start (half of the F features fire, each row overlaps with 1/D of the input:
 * F/2 * scale / D = 1/2). Far fewer features die at the start, which matters when a run sees millions of tokens
 * rather than billions. And lambda rises over the first steps, so that features find directions before they are made sparse.
 */
export const reluL1: SaeArchitecture = {
  activation: () => ({ kind: 'relu' }),

  initialise(config, bDec, random) {
    const d = bDec.length
    const wDec = new Float32Array(config.features * d)
    fillUnitRows(wDec, d, () => random.normal())
    const scale = Math.min(1, d / config.features)
    return { wEnc: wDec.map((w) => w * scale), bEnc: new Float32Array(config.features), wDec, bDec }
  },

  stepOptions(config, position) {
    const lambda = config.l1Coefficient * warmUp(position.step, config.l1WarmupFraction * position.totalSteps)
    return {
      activation: { kind: 'relu' },
      l1Coefficient: lambda,
      adam: adamOptions(config, position),
      unitNormDecoder: true,
    }
  },

  resamples: true,
}
