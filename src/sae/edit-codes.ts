import type { Codes } from '../kernels/kernels.js'

/**
 * Codes in which one feature has other activations, on every token: a number, or a function of the activation that is there (0 where the feature
 * is not active). Where the result is 0 the feature is left out.
 * @param codes of N tokens; they stay as they are
 * @param value or a function of the activation and of the token's index, 0 .. N-1
 */
export function setFeature(
  codes: Codes,
  feature: number,
  value: number | ((activation: number, token: number) => number),
): Codes {
  const N = codes.rowOffsets.length - 1
  const of = typeof value === 'number' ? () => value : value
  const [featureIds, values, rowOffsets]: number[][] = [[], [], [0]]
  const push = (id: number, activation: number): void => {
    featureIds.push(id)
    values.push(activation)
  }
  for (let n = 0; n < N; n++) {
    const [begin, end] = [codes.rowOffsets[n], codes.rowOffsets[n + 1]]
    const at = codes.featureIds.subarray(begin, end).indexOf(feature)
    const set = of(at < 0 ? 0 : codes.values[begin + at], n)
    let placed = set === 0
    for (let e = begin; e < end; e++) {
      const id = codes.featureIds[e]
      if (!placed && id > feature) {
        push(feature, set)
        placed = true
      }
      if (id !== feature) push(id, codes.values[e])
    }
    if (!placed) push(feature, set)
    rowOffsets.push(featureIds.length)
  }
  return {
    rowOffsets: Int32Array.from(rowOffsets),
    featureIds: Int32Array.from(featureIds),
    values: Float32Array.from(values),
  }
}
