import type { FeatureDetail } from '../../src/features/feature-store.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import type { Transformer } from '../../src/model/transformer.js'
import type { Sae } from '../../src/sae/sae.js'
import type { SteerInputs } from '../../src/steer/strength-sweep.js'
import { saeOf } from '../eval/tiny-sae.js'
import { cyclicModel, pieceTokenizer } from '../model/tiny-corpus.js'

/** Letters a to g are tokens 1 to 7, which follow one another in a circle. */
export const letters = pieceTokenizer([...'abcdefg'].map((letter) => [letter.charCodeAt(0)]))

/**
 * A model that writes a, b, c, ..., and an autoencoder whose feature j is "the token is j" at the last residual stream: clamped high, the
 * model goes on as if after token j, whatever it read. All features have the maximum 1; feature 0 never fired.
 */
export function steeredCycle(kernels: Kernels): SteerInputs & { model: Transformer; sae: Sae } {
  const model = cyclicModel(kernels, [1, 2, 3, 4, 5, 6, 7, 1])
  const D = model.config.dModel
  const wEnc = new Float32Array(D * D)
  for (let i = 0; i < D; i++) wEnc[i * D + i] = 1
  const arrays = { wEnc, bEnc: new Float32Array(D), wDec: wEnc.slice(), bDec: new Float32Array(D) }
  const form = { activation: { kind: 'relu' }, subtractDecoderBias: false } as const
  const get = (feature: number) =>
    Promise.resolve({ feature, fires: feature === 0 ? 0 : 9, max: feature === 0 ? 0 : 1 } as FeatureDetail)
  return {
    model,
    sae: saeOf(kernels, arrays, D, 'blocks.0.hook_resid_post', form),
    tokenizer: letters,
    store: { get },
  }
}
