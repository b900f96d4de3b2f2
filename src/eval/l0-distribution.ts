/** Active features per token, over the tokens of a sample: quantiles and the extremes. */
export interface L0Distribution {
  min: number
  p5: number
  p25: number
  median: number
  p75: number
  p95: number
  max: number
}

/**
 * Quantiles from counts; the q-quantile is the smallest number of features that at least a share q of the tokens do not exceed.
 * @param counts [F + 1] tokens with exactly that many active features
 */
export function l0Distribution(counts: ArrayLike<number>): L0Distribution {
  const cumulative = Float64Array.from(counts)
  for (let i = 1; i < cumulative.length; i++) cumulative[i] += cumulative[i - 1]
  const tokens = cumulative[cumulative.length - 1]
  const quantile = (share: number): number =>
    Math.max(
      0,
      cumulative.findIndex((below) => below > 0 && below >= share * tokens),
    )
  return {
    min: quantile(0),
    p5: quantile(0.05),
    p25: quantile(0.25),
    median: quantile(0.5),
    p75: quantile(0.75),
    p95: quantile(0.95),
    max: quantile(1),
  }
}
