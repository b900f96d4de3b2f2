import { formatCount, formatFit, formatFlop, formatInterval } from './figures.js'
import type { SparsityLaws } from './fit-laws.js'
import type { ScalingReport } from './scaling-report.js'

/** One row for each law: name, formula, exponent with its interval, irreducible term with its interval, error; or why there is none. */
interface LawRow {
  name: string
  formula: string
  exponent: string
  exponentInterval: string
  irreducible: string
  irreducibleInterval: string
  error: string
  reason: string | null
}

/** The four laws of one sparsity, for tables. */
export function describeLaws(laws: SparsityLaws): LawRow[] {
  const none = { exponent: '–', exponentInterval: '', irreducible: '', irreducibleInterval: '', error: '' }
  const power = (name: string, x: string, law: SparsityLaws['lossOfCompute']): LawRow => {
    const formula = `L = L∞ + a ${x}^-b`
    if (law.fit === null) return { name, formula, ...none, reason: law.reason }
    return {
      ...{ name, formula },
      exponent: formatFit(law.fit.exponent),
      exponentInterval: formatInterval(law.intervals.exponent),
      irreducible: formatFit(law.fit.irreducible),
      irreducibleInterval: formatInterval(law.intervals.irreducible),
      error: `${(100 * law.fit.relativeError).toFixed(2)}%`,
      reason: null,
    }
  }
  const line = (name: string, y: string, law: SparsityLaws['featuresOfCompute']): LawRow => {
    const formula = `${y} = c C^p`
    if (law.fit === null) return { name, formula, ...none, reason: law.reason }
    return {
      ...{ name, formula, irreducible: '', irreducibleInterval: '' },
      exponent: formatFit(law.fit.exponent),
      exponentInterval: formatInterval(law.intervals.exponent),
      error: `${(100 * law.fit.relativeError).toFixed(1)}%`,
      reason: null,
    }
  }
  return [
    power('best loss of a budget', 'C', laws.lossOfCompute),
    line('best size', 'N', laws.featuresOfCompute),
    line('best steps', 'S', laws.stepsOfCompute),
    power('loss of a size at convergence', 'N', laws.lossOfSize),
  ]
}

/** Cells of the frontier's table: compute, sizes, the best measured point, and the optimum between sizes. */
export const frontierHeadings = [
  'compute, FLOP',
  'sizes',
  'best measured',
  'steps',
  'tokens',
  'loss',
  'L0',
  'dead',
  'optimal size',
  'optimal steps',
]

export function frontierRows({ frontier }: SparsityLaws): string[][] {
  return frontier.map(({ compute, sizes, best, optimalFeatures, optimalSteps }) => [
    formatFlop(compute),
    String(sizes),
    formatCount(best.features),
    formatCount(best.steps),
    formatCount(best.tokens),
    best.loss.toFixed(4),
    best.l0.toFixed(1),
    `${(100 * best.deadFraction).toFixed(0)}%`,
    optimalFeatures === null ? 'at an end' : formatCount(Math.round(optimalFeatures)),
    optimalSteps === null ? '–' : formatCount(Math.round(optimalSteps)),
  ])
}

export const extrapolationHeadings = [
  'compute, FLOP',
  'loss',
  '95% interval',
  'size',
  '95% interval',
  'steps',
  '95% interval',
]

/** What the laws say beyond the measured compute; empty where they were not fitted. */
export function extrapolationRows({
  lossOfCompute,
  featuresOfCompute,
  stepsOfCompute,
}: SparsityLaws): string[][] {
  const places = [featuresOfCompute, stepsOfCompute, lossOfCompute].find((law) => law.fit !== null)
  if (!places || places.fit === null) return []
  const cells = (
    law: SparsityLaws['lossOfCompute'] | SparsityLaws['featuresOfCompute'],
    i: number,
    show: (value: number) => string,
  ): string[] => {
    if (law.fit === null) return ['–', '']
    const { value, interval } = law.extrapolated[i]
    return [show(value), formatInterval(interval, show)]
  }
  const whole = (value: number): string => formatCount(Math.round(value))
  return places.extrapolated.map(({ x }, i) => [
    formatFlop(x),
    ...cells(lossOfCompute, i, formatFit),
    ...cells(featuresOfCompute, i, whole),
    ...cells(stepsOfCompute, i, whole),
  ])
}

const byCount = new Set(['topk', 'batchtopk', 'matryoshka'])

/** "K = 32", "λ = 5" */
export const sparsityName = (
  { architecture }: Pick<ScalingReport, 'architecture'>,
  sparsity: number,
): string => `${byCount.has(architecture) ? 'K' : 'λ'} = ${formatFit(sparsity)}`

/** What the loss is, in words. */
export const lossName = ({ architecture }: Pick<ScalingReport, 'architecture'>): string =>
  byCount.has(architecture) ? 'normalised squared error' : 'squared error and penalty, over the variance'

/** What the reader must know first: jobs that failed or are missing, optima that are not known. */
export function warningsOf({ failures, missing, laws }: ScalingReport): string[] {
  const warnings: string[] = []
  if (failures.length > 0)
    warnings.push(
      `${failures.length} job${failures.length > 1 ? 's' : ''} failed and ${failures.length > 1 ? 'are' : 'is'} left out: ${failures.map(({ name, message }) => `${name} (${message})`).join('; ')}`,
    )
  if (missing.length > 0)
    warnings.push(
      `${missing.length} planned job${missing.length > 1 ? 's are' : ' is'} not finished: ${missing.join(', ')}`,
    )
  const ends = laws.flatMap(({ frontier }) => frontier.filter((point) => point.optimalFeatures === null))
  if (ends.length > 0)
    warnings.push(
      `At ${ends.length} compute budget${ends.length > 1 ? 's' : ''} (${ends.map(({ compute }) => formatFlop(compute)).join(', ')} FLOP) the best size is the smallest or the largest that was trained, so the optimum is not known there: no law is fitted to ${ends.length > 1 ? 'them' : 'it'}. Train more sizes.`,
    )
  return warnings
}
