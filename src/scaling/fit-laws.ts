import type { Interval } from '../eval/ratio-interval.js'
import { Random } from '../random/random.js'
import { bootstrapFits, intervalOf } from './bootstrap.js'
import {
  byBudget,
  type FrontierPoint,
  frontierPoint,
  type MeasuredPoint,
  meansOverSeeds,
} from './frontier.js'
import type { JobResult } from './job-files.js'
import {
  fitLogLine,
  fitPowerLaw,
  type LogLine,
  logLineAt,
  type Point,
  type PowerLaw,
  powerLawAt,
} from './power-law.js'

/** A fit, or why there is none. */
export type Fitted<Law> = (Law & { points: number; reason: null }) | { fit: null; reason: string }

/** A fitted law with 95% intervals. */
export interface FittedPowerLaw {
  fit: PowerLaw
  intervals: { irreducible: Interval; exponent: Interval }
  /** what it says at larger x: no measurement */
  extrapolated: { x: number; value: number; interval: Interval }[]
}

export interface FittedLogLine {
  fit: LogLine
  intervals: { exponent: Interval }
  extrapolated: { x: number; value: number; interval: Interval }[]
}

/** The longest training of one size, and whether it would gain from being longer. */
export interface SizeLoss {
  features: number
  steps: number
  loss: number
  /** share of the loss that another doubling of the steps would take off, from the last two lengths; null where there is only one */
  gainOfDoubling: number | null
  converged: boolean
}

/** Everything that was found at one sparsity. */
export interface SparsityLaws {
  sparsity: number
  points: MeasuredPoint[]
  frontier: FrontierPoint[]
  /** L(C) = L_inf + a C^-b over the frontier */
  lossOfCompute: Fitted<FittedPowerLaw>
  /** N(C) = c C^p */
  featuresOfCompute: Fitted<FittedLogLine>
  /** S(C) */
  stepsOfCompute: Fitted<FittedLogLine>
  bySize: SizeLoss[]
  /** L(N) = L_inf + a N^-b over the sizes that converged */
  lossOfSize: Fitted<FittedPowerLaw>
}

export interface FitOptions {
  /** a size counts as converged when doubling its steps would take off less than this share of its loss */
  convergence: number
  seed: number
}

/** Points that a law with an irreducible term needs (3 parameters), and a line in logarithms (2): at least 2 degrees of freedom are left. */
const neededPoints = { law: 5, line: 4 }

/** How far beyond the largest measured x the laws are drawn and quoted. */
const beyond = [10, 100]

/** Fits the laws of the jobs of one sparsity. */
export function fitLaws(
  results: readonly JobResult[],
  sparsity: number,
  { convergence, seed }: FitOptions,
): SparsityLaws {
  const points = meansOverSeeds(results.filter((result) => result.sparsity === sparsity))
  const budgets = byBudget(points).filter((budget) => budget.length > 1)
  const frontier = budgets.map(frontierPoint)
  const inside = frontier.filter(({ optimalFeatures }) => optimalFeatures !== null)
  const count = `${inside.length} of ${frontier.length} budgets have a known optimum`
  const random = (name: string) => Random.named(seed, `scaling ${sparsity} ${name}`)
  const ofCompute = (value: (point: FrontierPoint) => number): Point[] =>
    inside.map((point) => ({ x: point.compute, y: value(point) }))
  const bySize = lossesBySize(points, convergence)
  const converged = bySize.filter((size) => size.converged)
  const sizes = converged.map(({ features, loss }) => ({ x: features, y: loss }))
  return {
    ...{ sparsity, points, frontier, bySize },
    lossOfCompute: powerLaw(
      ofCompute(({ best }) => best.loss),
      count,
      random('L(C)'),
    ),
    featuresOfCompute: logLine(
      ofCompute(({ optimalFeatures }) => optimalFeatures as number),
      count,
      random('N(C)'),
    ),
    stepsOfCompute: logLine(
      ofCompute(({ optimalSteps }) => optimalSteps as number),
      count,
      random('S(C)'),
    ),
    lossOfSize: powerLaw(sizes, `${sizes.length} of ${bySize.length} sizes have converged`, random('L(N)')),
  }
}

const tooFew = (count: string, needed: number): { fit: null; reason: string } => ({
  fit: null,
  reason: `underpowered: ${count}, at least ${needed} are needed`,
})

function powerLaw(points: Point[], count: string, random: Random): Fitted<FittedPowerLaw> {
  if (points.length < neededPoints.law) return tooFew(count, neededPoints.law)
  const fit = fitPowerLaw(points)
  const at = (x: number) => powerLawAt(fit, x)
  const fits = bootstrapFits(points, { at, fit: fitPowerLaw, parameters: 3 }, random)
  const intervals = {
    irreducible: intervalOf(fits.map(({ irreducible }) => irreducible)),
    exponent: intervalOf(fits.map(({ exponent }) => exponent)),
  }
  const extrapolated = extrapolate(points, at, (x) => fits.map((other) => powerLawAt(other, x)))
  return { fit, intervals, extrapolated, points: points.length, reason: null }
}

function logLine(points: Point[], count: string, random: Random): Fitted<FittedLogLine> {
  if (points.length < neededPoints.line) return tooFew(count, neededPoints.line)
  const fit = fitLogLine(points)
  const at = (x: number) => logLineAt(fit, x)
  const fits = bootstrapFits(points, { at, fit: fitLogLine, parameters: 2 }, random)
  const intervals = { exponent: intervalOf(fits.map(({ exponent }) => exponent)) }
  const extrapolated = extrapolate(points, at, (x) => fits.map((other) => logLineAt(other, x)))
  return { fit, intervals, extrapolated, points: points.length, reason: null }
}

function extrapolate(
  points: readonly Point[],
  at: (x: number) => number,
  replicates: (x: number) => number[],
): FittedPowerLaw['extrapolated'] {
  const largest = Math.max(...points.map(({ x }) => x))
  return beyond.map((factor) => {
    const x = factor * largest
    return { x, value: at(x), interval: intervalOf(replicates(x)) }
  })
}

/** The longest training of each size. @param points ascending in compute, so of each size ascending in steps */
function lossesBySize(points: readonly MeasuredPoint[], convergence: number): SizeLoss[] {
  const sizes = [...new Set(points.map(({ features }) => features))].sort((a, b) => a - b)
  return sizes.map((features) => {
    const [last, before] = points.filter((point) => point.features === features).reverse()
    const gainOfDoubling = before
      ? 1 - (last.loss / before.loss) ** (1 / Math.log2(last.steps / before.steps))
      : null
    return {
      ...{ features, steps: last.steps, loss: last.loss, gainOfDoubling },
      converged: gainOfDoubling !== null && gainOfDoubling < convergence,
    }
  })
}
