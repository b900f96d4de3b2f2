import type { EncodedBatch } from '../eval/encoded-windows.js'

/** Sums from which the correlation of U features with each of D neurons follows. */
export interface NeuronCorrelation {
  d: number
  /** tokens added */
  n: number
  /** [D] of the neurons' activations */
  sum: Float64Array
  square: Float64Array
  /** [U] of the features' */
  featureSum: Float64Array
  /** [U, D] of their products */
  product: Float64Array
}

/** More sums than this are not kept: 512 MiB. */
const mostSums = 2 ** 26

/** Null where there would be too many sums to keep. */
export function createNeuronCorrelation(units: number, d: number): NeuronCorrelation | null {
  if (units * d > mostSums) return null
  return {
    d,
    n: 0,
    sum: new Float64Array(d),
    square: new Float64Array(d),
    featureSum: new Float64Array(units),
    product: new Float64Array(units * d),
  }
}

/** Adds a batch: codes of the features, and activations of the neurons. */
export function addCorrelation(sums: NeuronCorrelation, { codes, activations }: EncodedBatch): void {
  if (activations === null) return
  const { d, sum, square, featureSum, product } = sums
  const rows = codes.rowOffsets.length - 1
  for (let row = 0; row < rows; row++) {
    const x = activations.subarray(row * d, (row + 1) * d)
    for (let j = 0; j < d; j++) {
      sum[j] += x[j]
      square[j] += x[j] * x[j]
    }
    for (let e = codes.rowOffsets[row]; e < codes.rowOffsets[row + 1]; e++) {
      const value = codes.values[e]
      const base = codes.featureIds[e] * d
      featureSum[codes.featureIds[e]] += value
      for (let j = 0; j < d; j++) product[base + j] += value * x[j]
    }
  }
  sums.n += rows
}

/** The neuron whose activation correlates most with a feature's (Pearson); null when the feature was never active. */
export function mostCorrelatedNeuron(sums: NeuronCorrelation, unit: number): number | null {
  const { d, n, sum, square, featureSum, product } = sums
  if (featureSum[unit] === 0) return null
  let best: number | null = null
  let largest = Number.NEGATIVE_INFINITY
  for (let j = 0; j < d; j++) {
    const variance = n * square[j] - sum[j] * sum[j]
    if (variance <= 1e-9 * n * square[j]) continue
    // The feature's own variance is the same for all neurons.
    const correlation = (n * product[unit * d + j] - featureSum[unit] * sum[j]) / Math.sqrt(variance)
    if (correlation > largest) {
      best = j
      largest = correlation
    }
  }
  return best
}
