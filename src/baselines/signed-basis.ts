import type { SaeForm } from '../kernels/kernels.js'
import type { SaeArrays } from '../sae/sae-params.js'

/** Of the coordinates in an orthonormal basis, the k with the largest magnitude. */
export const signedBasisForm = (k: number): SaeForm => ({
  activation: { kind: 'topk', k },
  subtractDecoderBias: true,
})

/**
 * An orthonormal basis as an autoencoder with F = 2 D features: every direction and its opposite, so that each coordinate of x - mean is the
 * activation of one feature or the other. With `signedBasisForm(k)` a token keeps its k largest coordinates by magnitude, which of all choices of k
 * coordinates reconstructs it best.
 * @param directions [D, D] rows of norm 1 that are orthogonal to one another; feature i is row i, feature D + i its opposite
 * @param mean [D]
 */
export function signedBasis(directions: Float64Array, mean: Float64Array): SaeArrays {
  const d = mean.length
  const rows = Float32Array.from({ length: 2 * d * d }, (_, i) =>
    i < d * d ? directions[i] : -directions[i - d * d],
  )
  return {
    wEnc: rows,
    bEnc: new Float32Array(2 * d),
    wDec: rows.slice(),
    bDec: Float32Array.from(mean),
  }
}

/** The neurons themselves: unit vectors. [D, D] */
export function unitVectors(d: number): Float64Array {
  const rows = new Float64Array(d * d)
  for (let i = 0; i < d; i++) rows[i * d + i] = 1
  return rows
}
