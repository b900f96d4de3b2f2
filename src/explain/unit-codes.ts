import type { Codes } from '../kernels/kernels.js'

/**
 * Units are what is explained: features, or the neurons of a hook point. A pass over text sees the activations of U units as
 * codes whose ids are 0 .. U-1.
 */

/**
 * Neurons as units: their positive part, so that they can be active or not like a feature. After ReLU that is all of them; after
 * GELU it leaves out values above -0.17; in a residual stream, where no sign is special, it is one of a neuron's two sides.
 * @param activations [n, D]
 */
export function positiveCodes(activations: Float32Array, d: number): Codes {
  const rows = activations.length / d
  const rowOffsets = new Int32Array(rows + 1)
  const featureIds = new Int32Array(activations.length)
  const values = new Float32Array(activations.length)
  let next = 0
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < d; j++) {
      const value = activations[row * d + j]
      // Always written, and overwritten by the next one unless it is positive: signs are too random to branch on.
      featureIds[next] = j
      values[next] = value
      next += Number(value > 0)
    }
    rowOffsets[row + 1] = next
  }
  return { rowOffsets, featureIds: featureIds.subarray(0, next), values: values.subarray(0, next) }
}
