import { mean } from '../eval/mean.js'
import type { Interval } from '../eval/ratio-interval.js'
import type { Random } from '../random/random.js'
import type { Point } from './power-law.js'

/** How often a fit is repeated for its intervals. */
const replicates = 1000

/** 97.5% quantiles of Student's t with 1, 2, ... degrees of freedom. */
const studentT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16]

/**
 * Fits again and again to points that might as well have been measured: the fitted curve times a random one of the residuals (ratios of
 * point and curve), drawn with replacement (residual bootstrap, Efron 1979). The places x are chosen, not sampled, so they stay. Residuals are
 * centred in logarithms and widened twice: by sqrt(n / (n - parameters)), what the fit itself took out of them, and by Student's t over
 * the normal quantile, because so few of them say little about how large they are.
 * @param at the fitted curve at x
 * @param fit the same fit to other points
 * @returns as many fits as asked for
 */
export function bootstrapFits<Fit>(
  points: readonly Point[],
  { at, fit, parameters }: { at: (x: number) => number; fit: (points: Point[]) => Fit; parameters: number },
  random: Random,
): Fit[] {
  const residuals = points.map(({ x, y }) => Math.log(y / at(x)))
  const centre = mean(residuals)
  const freedom = points.length - parameters
  const widen = Math.sqrt(points.length / freedom) * ((studentT[freedom - 1] ?? 1.96) / 1.96)
  const drawn = () => Math.exp(widen * (random.pick(residuals) - centre))
  return Array.from({ length: replicates }, () => fit(points.map(({ x }) => ({ x, y: at(x) * drawn() }))))
}

/** The middle 95% of what the repeated fits gave. */
export function intervalOf(values: readonly number[]): Interval {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]
  return [at(0.025), at(0.975)]
}
