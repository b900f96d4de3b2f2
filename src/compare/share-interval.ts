import type { Interval } from '../eval/ratio-interval.js'

/** 95% interval of a share of `count` out of `n` > 0: Wilson's score interval (1927), which stays within 0 and 1. */
export function shareInterval(count: number, n: number): Interval {
  const z = 1.959964
  const share = count / n
  const centre = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n)
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2))
  return [Math.max(0, centre - half), Math.min(1, centre + half)]
}
