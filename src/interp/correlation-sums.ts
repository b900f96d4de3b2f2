import type { Codes } from '../kernels/kernels.js'

/**
 * Float64 sums from which the Pearson correlation of many columns (features or neurons) with a few 0/1 labels
 * follows.
 */
export interface CorrelationSums {
  /** tokens added */
  n: number
  /** [columns] sum of values, sum of squares */
  sum: Float64Array
  square: Float64Array
  /** per label: sum of values over the tokens that have it, [columns] each */
  product: Float64Array[]
  /** [labels] tokens that have it */
  positives: Float64Array
}

export function createCorrelationSums(columns: number, labels: number): CorrelationSums {
  return {
    n: 0,
    sum: new Float64Array(columns),
    square: new Float64Array(columns),
    product: Array.from({ length: labels }, () => new Float64Array(columns)),
    positives: new Float64Array(labels),
  }
}

/** Adds one token. @param labels indices of the labels that it has */
export function addToken(sums: CorrelationSums, labels: readonly number[]): void {
  sums.n++
  for (const label of labels) sums.positives[label]++
}

/** Adds the active features of one token (which `addToken` has counted); all others are 0 and add nothing. */
export function addCodes(sums: CorrelationSums, codes: Codes, row: number, labels: readonly number[]): void {
  const { sum, square, product } = sums
  const { featureIds, values } = codes
  const end = codes.rowOffsets[row + 1]
  for (let e = codes.rowOffsets[row]; e < end; e++) {
    sum[featureIds[e]] += values[e]
    square[featureIds[e]] += values[e] * values[e]
  }
  for (const label of labels)
    for (let e = codes.rowOffsets[row]; e < end; e++) product[label][featureIds[e]] += values[e]
}

/** Adds the neurons of one token: row `row` of activations [n, D]. */
export function addDense(
  sums: CorrelationSums,
  activations: Float32Array,
  row: number,
  labels: readonly number[],
): void {
  const { sum, square, product } = sums
  const d = sum.length
  const base = row * d
  for (let j = 0; j < d; j++) {
    const value = activations[base + j]
    sum[j] += value
    square[j] += value * value
  }
  for (const label of labels) {
    const products = product[label]
    for (let j = 0; j < d; j++) products[j] += activations[base + j]
  }
}

/** Pearson correlation of every column with one label; 0 where either does not vary. [columns] */
export function correlations(sums: CorrelationSums, label: number): Float64Array {
  const { n, sum, square } = sums
  const positives = sums.positives[label]
  const product = sums.product[label]
  const labelVariance = n * positives - positives * positives
  return sum.map((total, j) => {
    const variance = n * square[j] - total * total
    // Rounding leaves a constant column a little variance: less than a billionth of its square sum is none.
    if (labelVariance <= 0 || variance <= 1e-9 * n * square[j]) return 0
    return (n * product[j] - total * positives) / Math.sqrt(variance * labelVariance)
  })
}
