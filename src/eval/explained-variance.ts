/** Running sums for the explained variance of a sample of activations [N, D], in float64. */
export interface VarianceSums {
  /** tokens seen */
  count: number
  /** [D] mean of the tokens seen */
  mean: Float64Array
  /** sum over tokens of ||x - mean||^2 */
  deviation: number
  /** sum over tokens of ||x - xHat||^2 */
  squaredError: number
}

export function createVarianceSums(d: number): VarianceSums {
  return { count: 0, mean: new Float64Array(d), deviation: 0, squaredError: 0 }
}

/**
 * Adds a batch of activations x [n, D] with the sum of their squared errors. The deviation is computed about
 * the batch's own mean and then merged (Chan, Golub and LeVeque 1983), so that a large common offset costs no
 * precision.
 */
export function addToVarianceSums(sums: VarianceSums, x: Float32Array, squaredError: number): void {
  const d = sums.mean.length
  const n = x.length / d
  if (n === 0) return
  const mean = columnMeans(x, d)
  let deviation = 0
  for (let i = 0; i < n; i++)
    for (let j = 0; j < d; j++) {
      const difference = x[i * d + j] - mean[j]
      deviation += difference * difference
    }
  const total = sums.count + n
  let shift = 0
  for (let j = 0; j < d; j++) {
    const difference = mean[j] - sums.mean[j]
    shift += difference * difference
    sums.mean[j] += (difference * n) / total
  }
  sums.deviation += deviation + (shift * sums.count * n) / total
  sums.squaredError += squaredError
  sums.count = total
}

function columnMeans(x: Float32Array, d: number): Float64Array {
  const mean = new Float64Array(d)
  const n = x.length / d
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) mean[j] += x[i * d + j]
  for (let j = 0; j < d; j++) mean[j] /= n
  return mean
}

/**
 * 1 - sum ||x - xHat||^2 / sum ||x - mean x||^2 over everything that was added; null when the activations do
 * not vary.
 */
export function explainedVariance(sums: VarianceSums): number | null {
  return sums.deviation > 0 ? 1 - sums.squaredError / sums.deviation : null
}
