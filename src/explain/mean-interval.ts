/** A mean and how far it is to be trusted. */
export interface MeanInterval {
  /** null of nothing */
  mean: number | null
  /** 95% confidence interval, normal approximation: mean +- 1.96 standard errors; null of fewer than two */
  low: number | null
  high: number | null
  n: number
}

/** The mean of what is defined: null is left out, never counted as 0. */
export function meanInterval(values: readonly (number | null)[]): MeanInterval {
  const defined = values.filter((value): value is number => value !== null)
  const n = defined.length
  if (n === 0) return { mean: null, low: null, high: null, n }
  const mean = defined.reduce((sum, value) => sum + value, 0) / n
  if (n === 1) return { mean, low: null, high: null, n }
  const variance = defined.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)
  const margin = 1.96 * Math.sqrt(variance / n)
  return { mean, low: mean - margin, high: mean + margin, n }
}
