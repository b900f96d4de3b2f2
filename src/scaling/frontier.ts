import { mean } from '../eval/mean.js'
import type { JobResult } from './job-files.js'

/** The jobs of one size, length and sparsity: means over seeds. */
export interface MeasuredPoint {
  features: number
  steps: number
  tokens: number
  /** FLOP */
  compute: number
  loss: number
  normalizedMse: number
  l0: number
  deadFraction: number
  seeds: number
}

/** What is best at one compute budget. */
export interface FrontierPoint {
  /** FLOP: mean of the compute of the sizes that were trained */
  compute: number
  /** the measured point with the lowest loss */
  best: MeasuredPoint
  /** sizes that were trained at this budget */
  sizes: number
  /** size at the lowest point of a parabola of log loss over log size; null where the best size is the smallest or the largest that was trained */
  optimalFeatures: number | null
  /** compute / (compute of a step at that size) */
  optimalSteps: number | null
}

/** Means over the seeds of each size and length, ascending in compute. */
export function meansOverSeeds(results: readonly JobResult[]): MeasuredPoint[] {
  const groups = new Map<string, JobResult[]>()
  for (const result of results) {
    const key = `${result.features} ${result.steps}`
    groups.set(key, [...(groups.get(key) ?? []), result])
  }
  return [...groups.values()]
    .map((group) => {
      const { features, steps, tokens, compute } = group[0]
      const average = (name: 'loss' | 'normalizedMse' | 'l0' | 'deadFraction') =>
        mean(group.map((result) => result[name]))
      return {
        ...{ features, steps, tokens, compute },
        loss: average('loss'),
        normalizedMse: average('normalizedMse'),
        l0: average('l0'),
        deadFraction: average('deadFraction'),
        seeds: group.length,
      }
    })
    .sort((a, b) => a.compute - b.compute || a.features - b.features)
}

/** Points of nearly the same compute belong to one budget: whole steps make it differ by up to 1 / (2 steps). */
const sameBudget = 1.06

/** The points of each compute budget, ascending in size. @param points ascending in compute */
export function byBudget(points: readonly MeasuredPoint[]): MeasuredPoint[][] {
  const budgets: MeasuredPoint[][] = []
  for (const point of points) {
    const last = budgets.at(-1)
    if (last && point.compute <= sameBudget * last[0].compute) last.push(point)
    else budgets.push([point])
  }
  return budgets.map((budget) => budget.sort((a, b) => a.features - b.features))
}

/** How many sizes around the best one the parabola is drawn through. */
const around = 2

/** The best of one budget (Hoffmann et al. 2022, approach 2: profiles of equal compute). @param points of one budget, ascending in size */
export function frontierPoint(points: readonly MeasuredPoint[]): FrontierPoint {
  const losses = points.map(({ loss }) => loss)
  const place = losses.indexOf(Math.min(...losses))
  const compute = mean(points.map((point) => point.compute))
  const best = points[place]
  const inside = place > 0 && place < points.length - 1
  const near = points.slice(Math.max(0, place - around), place + around + 1)
  const optimalFeatures = inside ? lowestSize(near) : null
  const optimalSteps =
    optimalFeatures && (best.steps * best.features * compute) / (optimalFeatures * best.compute)
  return { compute, best, sizes: points.length, optimalFeatures, optimalSteps }
}

/** Size at the lowest point of the parabola of log loss over log size, by least squares; null where it opens downwards or ends outside. */
function lowestSize(points: readonly MeasuredPoint[]): number | null {
  const centre = mean(points.map(({ features }) => Math.log(features)))
  const xs = points.map(({ features }) => Math.log(features) - centre)
  const ys = points.map(({ loss }) => Math.log(loss))
  const moment = (power: number): number => mean(xs.map((x) => x ** power))
  const cross = (power: number): number => mean(xs.map((x, i) => x ** power * ys[i]))
  // normal equations of y = a + b x + c x^2 with mean x = 0
  const [m2, m3, m4, y0, y1, y2] = [moment(2), moment(3), moment(4), cross(0), cross(1), cross(2)]
  const determinant = m2 * (m4 - m2 * m2) - m3 * m3
  const c = (m2 * (y2 - m2 * y0) - m3 * y1) / determinant
  const b = (y1 - c * m3) / m2
  const lowest = -b / (2 * c)
  return c > 0 && lowest >= Math.min(...xs) && lowest <= Math.max(...xs) ? Math.exp(centre + lowest) : null
}
