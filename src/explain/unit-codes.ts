import type { Codes } from '../kernels/kernels.js'

/**
 * Units are what is explained: features, or the neurons of a hook point. A pass over text sees the activations of U units as
 * codes whose ids are 0 .. U-1.
 */

/** Keeps of codes only the given features and renumbers them in that order. @param place [F] new id of a feature, or -1 */
export function selectCodes(codes: Codes, place: Int32Array): Codes {
  const { rowOffsets, featureIds, values } = codes
  const rows = rowOffsets.length - 1
  const offsets = new Int32Array(rows + 1)
  const ids = new Int32Array(featureIds.length)
  const kept = new Float32Array(featureIds.length)
  let next = 0
  for (let row = 0; row < rows; row++) {
    for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++) {
      const id = place[featureIds[e]]
      if (id < 0) continue
      ids[next] = id
      kept[next++] = values[e]
    }
    offsets[row + 1] = next
  }
  return { rowOffsets: offsets, featureIds: ids.subarray(0, next), values: kept.subarray(0, next) }
}

/** The place of each id among `ids`, which ascend; -1 elsewhere. [size] */
export function placesOf(ids: readonly number[], size: number): Int32Array {
  const place = new Int32Array(size).fill(-1)
  ids.forEach((id, i) => {
    place[id] = i
  })
  return place
}

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
