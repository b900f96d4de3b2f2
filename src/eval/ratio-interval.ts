/** A ratio of two sums over units (windows of text) and its 95% confidence interval. */
export interface RatioInterval {
  value: number
  low: number
  high: number
}

/**
 * sum(a) / sum(b) with a 95% interval from the spread over units, by linearisation (the delta method):
 * variance = n / (n - 1) * sum (a_i - R b_i)^2 / (sum b)^2. Units are whole windows, because neighbouring
 * tokens are not independent. Null when there are fewer than two units or sum(b) is 0.
 */
export function ratioInterval(a: ArrayLike<number>, b: ArrayLike<number>): RatioInterval | null {
  const n = a.length
  let sumA = 0
  let sumB = 0
  for (let i = 0; i < n; i++) {
    sumA += a[i]
    sumB += b[i]
  }
  if (n < 2 || sumB === 0) return null
  const value = sumA / sumB
  let squares = 0
  for (let i = 0; i < n; i++) squares += (a[i] - value * b[i]) ** 2
  const half = (1.96 * Math.sqrt((n / (n - 1)) * squares)) / Math.abs(sumB)
  return { value, low: value - half, high: value + half }
}
