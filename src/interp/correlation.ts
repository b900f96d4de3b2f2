/** Pearson correlation of two lists, about their means in float64; null when either is constant. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  // The rounded mean of equal numbers is not always that number: ask before, not after.
  if (isConstant(a) || isConstant(b)) return null
  const n = a.length
  let meanA = 0
  let meanB = 0
  for (let i = 0; i < n; i++) {
    meanA += a[i] / n
    meanB += b[i] / n
  }
  let aa = 0
  let bb = 0
  let ab = 0
  for (let i = 0; i < n; i++) {
    aa += (a[i] - meanA) ** 2
    bb += (b[i] - meanB) ** 2
    ab += (a[i] - meanA) * (b[i] - meanB)
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : null
}

/** True when all of a list's numbers are the same, and for an empty list. */
export function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false
  return true
}

/**
 * Ranks from 1 to n; equal values share the mean of the ranks that they take up. [n]
 * @param values finite numbers
 */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort((i, j) => values[i] - values[j])
  const result = new Float64Array(values.length)
  for (let first = 0; first < order.length; ) {
    let end = first + 1
    while (end < order.length && values[order[end]] === values[order[first]]) end++
    for (let i = first; i < end; i++) result[order[i]] = (first + 1 + end) / 2
    first = end
  }
  return result
}

/** Spearman correlation: Pearson's of the ranks; null when either list is constant. */
export const spearman = (a: ArrayLike<number>, b: ArrayLike<number>): number | null =>
  pearson(ranks(a), ranks(b))
