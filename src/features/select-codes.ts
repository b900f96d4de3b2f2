import type { Codes } from '../kernels/kernels.js'

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
export function placesOf(ids: ArrayLike<number>, size: number): Int32Array {
  const place = new Int32Array(size).fill(-1)
  for (let i = 0; i < ids.length; i++) place[ids[i]] = i
  return place
}
