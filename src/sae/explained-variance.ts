/**
 * Running sums for the explained variance of a sample of activations y [N, D], in float64. Deviations are taken about a fixed centre near the mean
 * and moved to the mean at the end: in one pass, and a large common offset costs no precision (Chan, Golub and LeVeque 1983, "shifted data").
 */
export interface VarianceSums {
  /** tokens seen */
  count: number
  /** [D] sum of y - centre */
  shift: Float64Array
  /** sum over tokens of ||y - centre||^2 */
  deviation: number
  /** sum over tokens of ||y - yHat||^2 */
  squaredError: number
}

export function createVarianceSums(d: number): VarianceSums {
  return { count: 0, shift: new Float64Array(d), deviation: 0, squaredError: 0 }
}

/**
 * Adds a batch of activations y [n, D] with the sum of their squared errors.
 * @param centre [D] near the mean, e.g. `columnMeans` of the first batch; the same for every batch
 */
export function addToVarianceSums(
  sums: VarianceSums,
  y: Float32Array,
  squaredError: number,
  centre: Float64Array,
): void {
  const d = centre.length
  for (let i = 0; i < y.length; i += d)
    for (let j = 0; j < d; j++) {
      const difference = y[i + j] - centre[j]
      sums.shift[j] += difference
      sums.deviation += difference * difference
    }
  sums.squaredError += squaredError
  sums.count += y.length / d
}

/** The mean of each column of y [n, D], in float64. */
export function columnMeans(y: Float32Array, d: number): Float64Array {
  const means = new Float64Array(d)
  for (let i = 0; i < y.length; i++) means[i % d] += y[i]
  return means.map((sum) => (sum * d) / y.length)
}

/** sum over tokens of ||y - mean y||^2 = sum ||y - centre||^2 - N ||mean y - centre||^2 */
export function totalVariance({ count, shift, deviation }: VarianceSums): number {
  if (count === 0) return 0
  return deviation - shift.reduce((sum, value) => sum + value * value, 0) / count
}

/**
 * 1 - sum ||y - yHat||^2 / sum ||y - mean y||^2 over everything that was added; null when the activations do
 * not vary.
 */
export function explainedVariance(sums: VarianceSums): number | null {
  const total = totalVariance(sums)
  // what is left of the subtraction above when nothing varies is rounding
  return total > 1e-12 * sums.deviation ? 1 - sums.squaredError / total : null
}
