import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, SaeInputNorm, Tensor } from '../kernels/kernels.js'

/**
 * What is done to each token x [D] on its own before the encoder, and undone to the reconstruction:
 * - `layer_norm`: (x - mean) / (std + 1e-5), std with D - 1 in its denominator; back: xHat std + mean
 * - `constant_norm_rescale`: x sqrt(D) / ||x||; back: xHat ||x|| / sqrt(D)
 *
 * A token of zeros stays zeros, and so does its reconstruction.
 */
export type InputNormalization = 'none' | SaeInputNorm

/** What norms, and with what. */
interface Normalizing {
  kernels: Kernels
  inputNormalization: InputNormalization
}

/** How each token was normed: token n is `scales[n]` times what the encoder reads, plus `offsets[n]`. Null without normalisation. */
export interface TokenScales {
  /** [N] */
  offsets: Tensor
  /** [N] */
  scales: Tensor
  free(): void
}

/** x [N, D] as the encoder reads it, and what it takes to go back. `x` is the caller's own tensor where nothing is done. */
export function normalizeInput(
  sae: Normalizing,
  x: Tensor,
): { x: Tensor; tokens: TokenScales | null; free(): void } {
  if (sae.inputNormalization === 'none') return { x, tokens: null, free: () => {} }
  const { kernels } = sae
  const normed = kernels.zeros(x.shape)
  const tokens = scalesOf(kernels, normed, x, sae.inputNormalization)
  return {
    x: normed,
    tokens,
    free() {
      kernels.free(normed)
      tokens.free()
    },
  }
}

/**
 * The scales of tokens x [N, D], which whoever adds decoder directions to activations needs: a feature adds f d_i times the scale of its token.
 * The caller frees them; null without normalisation.
 * @throws MonosemError shape: no x although its scales are needed
 */
export function tokenScales(sae: Normalizing, x: Tensor | null): TokenScales | null {
  if (sae.inputNormalization === 'none') return null
  if (x === null)
    throw new MonosemError(
      'shape',
      `sae: expected the activations that were encoded, which ${sae.inputNormalization} needs to decode, got none`,
    )
  return scalesOf(sae.kernels, null, x, sae.inputNormalization)
}

function scalesOf(kernels: Kernels, out: Tensor | null, x: Tensor, norm: SaeInputNorm): TokenScales {
  const [offsets, scales] = [kernels.zeros([x.shape[0]]), kernels.zeros([x.shape[0]])]
  kernels.saeNormalize(out, offsets, scales, x, norm)
  return {
    offsets,
    scales,
    free() {
      for (const tensor of [offsets, scales]) kernels.free(tensor)
    },
  }
}

/** What a reconstruction is in the units of its tokens, in place. @param tokens null: nothing to do */
export function denormalize(kernels: Kernels, y: Tensor, tokens: TokenScales | null): void {
  if (tokens) kernels.saeDenormalizeInPlace(y, tokens.offsets, tokens.scales)
}

/** The same of differences of reconstructions, which have no mean to add. */
export function scaleByToken(kernels: Kernels, y: Tensor, tokens: TokenScales | null): void {
  if (tokens) kernels.saeDenormalizeInPlace(y, null, tokens.scales)
}

/** [N] the scales as numbers; null without normalisation. */
export async function readTokenScales(sae: Normalizing, x: Tensor): Promise<Float32Array | null> {
  const tokens = tokenScales(sae, x)
  if (tokens === null) return null
  const scales = await sae.kernels.readF32(tokens.scales)
  tokens.free()
  return scales
}
