/** Counts of values in bins: bin i covers edges[i] (included) to edges[i + 1]; the last one its right edge too. */
export interface Histogram {
  /** [bins + 1], ascending */
  edges: number[]
  /** [bins] */
  counts: number[]
}

/** Equal bins from `low` to `high`; what lies outside is counted in the bin at that end. */
export function histogramOf(values: ArrayLike<number>, low: number, high: number, bins: number): Histogram {
  const counts = new Array<number>(bins).fill(0)
  for (let i = 0; i < values.length; i++) {
    const bin = Math.floor(((values[i] - low) / (high - low)) * bins)
    counts[Math.min(bins - 1, Math.max(0, bin))]++
  }
  return { edges: Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins), counts }
}

/** The q-quantile is the smallest value that at least a share q of the values do not exceed. */
export interface Quantiles {
  min: number
  p5: number
  p25: number
  median: number
  p75: number
  p95: number
  max: number
}

/** @param quantile the value of a share q */
export const quantilesOf = (quantile: (share: number) => number): Quantiles => ({
  min: quantile(0),
  p5: quantile(0.05),
  p25: quantile(0.25),
  median: quantile(0.5),
  p75: quantile(0.75),
  p95: quantile(0.95),
  max: quantile(1),
})

/** How one number is spread over features. */
export interface Distribution extends Quantiles {
  mean: number
  histogram: Histogram
}

/**
 * @param values at least one
 * @param range of the histogram, which has `bins` equal bins
 */
export function distributionOf(
  values: ArrayLike<number>,
  range: readonly [number, number],
  bins: number,
): Distribution {
  const sorted = Float64Array.from(values).sort()
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    ...quantilesOf((share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]),
    histogram: histogramOf(values, ...range, bins),
  }
}
