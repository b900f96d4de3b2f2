import type { LogitStatistics } from './feature-detail.js'

/** Bins of a feature's histogram of logit weights. */
export const logitBins = 64

/** Shape of each feature's logit weights over the vocabulary. */
export interface LogitShapes {
  /** [F] smallest and largest weight */
  low: Float32Array
  high: Float32Array
  /** [F, logitBins] counts in equal bins over [low, high] */
  counts: Int32Array
  /** [F, 4] sums of the first four powers of the weights */
  powers: Float64Array
  vocabulary: number
}

export function createLogitShapes(features: number, vocabulary: number): LogitShapes {
  return {
    low: new Float32Array(features),
    high: new Float32Array(features),
    counts: new Int32Array(features * logitBins),
    powers: new Float64Array(features * 4),
    vocabulary,
  }
}

/** Fills in one feature. @param weights [V] */
export function keepShape(shapes: LogitShapes, feature: number, weights: Float32Array): void {
  let [low, high] = [Infinity, -Infinity]
  let [first, second, third, fourth] = [0, 0, 0, 0]
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]
    if (weight < low) low = weight
    if (weight > high) high = weight
    const square = weight * weight
    first += weight
    second += square
    third += square * weight
    fourth += square * square
  }
  shapes.low[feature] = low
  shapes.high[feature] = high
  shapes.powers.set([first, second, third, fourth], 4 * feature)
  const base = feature * logitBins
  const scale = high > low ? logitBins / (high - low) : 0
  for (let i = 0; i < weights.length; i++)
    shapes.counts[base + Math.min(logitBins - 1, Math.floor((weights[i] - low) * scale))]++
}

/**
 * Moments of one feature's weights. Powers are turned into central moments at the end: logit weights are centred, so almost nothing
 * cancels. Skewness and kurtosis of weights that do not vary are 0.
 */
export function logitStatisticsOf(shapes: LogitShapes, feature: number): LogitStatistics {
  const [mean, second, third, fourth] = Array.from(
    shapes.powers.subarray(4 * feature, 4 * feature + 4),
    (power) => power / shapes.vocabulary,
  )
  const variance = second - mean ** 2
  if (!(variance > 0)) return { mean, standardDeviation: 0, skewness: 0, kurtosis: 0 }
  return {
    mean,
    standardDeviation: Math.sqrt(variance),
    skewness: (third - 3 * mean * second + 2 * mean ** 3) / variance ** 1.5,
    kurtosis: (fourth - 4 * mean * third + 6 * mean ** 2 * second - 3 * mean ** 4) / variance ** 2,
  }
}
