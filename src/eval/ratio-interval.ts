import { intervalDocuments } from './power.js'

/** [low, high] */
export type Interval = [number, number]

/** A ratio of two sums over documents and its 95% confidence interval. */
export interface RatioInterval {
  value: number
  /** null with fewer documents than an interval takes (power.ts) */
  interval: Interval | null
}

/**
 * sum(a) / sum(b) with a 95% interval from the spread over units, by linearisation (the delta method; Cochran 1977, section 6.4):
 * variance = n / (n - 1) * sum (a_i - R b_i)^2 / (sum b)^2. Units are whole documents, because the tokens of one are not independent.
 * Null when sum(b) is 0.
 */
export function ratioInterval(a: ArrayLike<number>, b: ArrayLike<number>): RatioInterval | null {
  const n = a.length
  let sumA = 0
  let sumB = 0
  for (let i = 0; i < n; i++) {
    sumA += a[i]
    sumB += b[i]
  }
  if (sumB === 0) return null
  const value = sumA / sumB
  if (n < intervalDocuments) return { value, interval: null }
  let squares = 0
  for (let i = 0; i < n; i++) squares += (a[i] - value * b[i]) ** 2
  const half = (1.96 * Math.sqrt((n / (n - 1)) * squares)) / Math.abs(sumB)
  return { value, interval: [value - half, value + half] }
}
