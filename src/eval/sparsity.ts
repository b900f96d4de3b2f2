import type { Codes } from '../kernels/kernels.js'

/** L0 of each token: how many features are active. [n] */
export function activeFeatures(codes: Codes): Float64Array {
  const n = codes.rowOffsets.length - 1
  return Float64Array.from({ length: n }, (_, i) => codes.rowOffsets[i + 1] - codes.rowOffsets[i])
}

/** L1 of each token: the sum of its activations. [n] */
export function activationSums(codes: Codes): Float64Array {
  const n = codes.rowOffsets.length - 1
  const sums = new Float64Array(n)
  for (let i = 0; i < n; i++)
    for (let e = codes.rowOffsets[i]; e < codes.rowOffsets[i + 1]; e++) sums[i] += codes.values[e]
  return sums
}

/** Adds to counts [F] on how many tokens each feature fired. */
export function countFires(counts: Float64Array, codes: Codes): void {
  for (const id of codes.featureIds) counts[id]++
}
