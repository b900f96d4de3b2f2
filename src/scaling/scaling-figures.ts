import type * as PlotModule from '@observablehq/plot'
import { type Plot, plot } from '../report/plot.js'
import type { Figure } from '../report/report-page.js'
import { formatCount, formatFit, formatFlop } from './figures.js'
import type { Fitted, FittedLogLine, SparsityLaws } from './fit-laws.js'
import { byBudget } from './frontier.js'
import { logLineAt, powerLawAt } from './power-law.js'

type Marks = PlotModule.Markish[]

/** From few to many, on light and on dark. */
const spectrum = ['#c99700', '#d55e00', '#b04f86', '#4a72d8']

/** Colours for what has an order: sizes and budgets. */
function ordered(values: readonly number[], label: string, tickFormat: (value: number) => string) {
  const domain = [...new Set(values)].sort((a, b) => a - b)
  const range = domain.map((_, i) => mixed((i / Math.max(1, domain.length - 1)) * (spectrum.length - 1)))
  return { type: 'ordinal', domain, range, label, tickFormat, legend: true } as const
}

/** The colour at a place of the spectrum. */
function mixed(place: number): string {
  const i = Math.min(spectrum.length - 2, Math.floor(place))
  const channel = (colour: string, at: number): number => Number.parseInt(colour.slice(at, at + 2), 16)
  const parts = [1, 3, 5].map((at) => {
    const [from, to] = [channel(spectrum[i], at), channel(spectrum[i + 1], at)]
    return Math.round(from + (place - i) * (to - from))
  })
  return `rgb(${parts.join(' ')})`
}

/** A logarithmic axis with labels at round numbers. */
function logarithmic(
  label: string,
  values: readonly number[],
  format: (value: number) => string = formatCount,
) {
  const [from, to] = [Math.min(...values), Math.max(...values)]
  const mantissas = to / from > 30 ? [1] : to / from > 8 ? [1, 3] : [1, 1.5, 2, 3, 4, 5, 6, 8]
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++)
    for (const mantissa of mantissas) {
      const tick = Number(`${mantissa}e${power}`)
      if (tick >= from && tick <= to) ticks.push(tick)
    }
  return { type: 'log', label, ticks, tickFormat: format, grid: true } as const
}

const lossAxis = (points: readonly { loss: number }[], law: SparsityLaws['lossOfCompute'] | null = null) => {
  const losses = points.map(({ loss }) => loss)
  if (law?.fit)
    losses.push(law.extrapolated[0].value, ...(law.fit.irreducible > 0 ? [law.fit.irreducible] : []))
  return logarithmic('held-out loss', losses, formatFit)
}

/** Points of a curve at evenly spaced logarithms. */
function curve(at: (x: number) => number, from: number, to: number): { x: number; y: number }[] {
  const steps = 60
  return Array.from({ length: steps + 1 }, (_, i) => {
    const x = from * (to / from) ** (i / steps)
    return { x, y: at(x) }
  })
}

/** A fitted curve: drawn through over what was measured, dashed beyond. */
function fittedCurve(P: Plot, at: (x: number) => number, xs: readonly number[], end: number): Marks {
  const [from, to] = [Math.min(...xs), Math.max(...xs)]
  const options = { x: 'x', y: 'y', stroke: 'currentColor', strokeWidth: 1.5 }
  return [
    P.line(curve(at, from, to), options),
    P.line(curve(at, to, end), { ...options, strokeDasharray: '5 4' }),
  ]
}

/** Loss against compute: every job, the frontier and its law. */
export async function lossOfCompute({ points, frontier, lossOfCompute: law }: SparsityLaws): Promise<Figure> {
  const { fit } = law
  const xs = frontier.filter((point) => point.optimalFeatures !== null).map(({ compute }) => compute)
  const end = 10 * Math.max(...xs)
  const html = await plot((P) => ({
    ariaLabel: 'held-out loss against training compute, one line for each size',
    x: logarithmic(
      'training compute, FLOP',
      [...points.map(({ compute }) => compute), ...(fit ? [end] : [])],
      formatFlop,
    ),
    y: lossAxis(points, law),
    color: ordered(
      points.map(({ features }) => features),
      'features',
      formatCount,
    ),
    marks: [
      P.line(points, { x: 'compute', y: 'loss', stroke: 'features', z: 'features', strokeOpacity: 0.6 }),
      P.dot(points, { x: 'compute', y: 'loss', fill: 'features', r: 3 }),
      P.dot(frontier, { x: 'compute', y: (point) => point.best.loss, r: 6, stroke: 'currentColor' }),
      ...(fit ? fittedCurve(P, (x) => powerLawAt(fit, x), xs, end) : []),
      ...(fit && fit.irreducible > 0
        ? [P.ruleY([fit.irreducible], { stroke: 'currentColor', strokeDasharray: '1 4' })]
        : []),
    ],
  }))
  const drawn = fit
    ? `The line is the fitted law; dashed, it is extrapolated by a factor of 10.${fit.irreducible > 0 ? ' The dotted line is its irreducible term.' : ''}`
    : `No law is drawn: ${law.reason}.`
  return {
    html,
    caption: `Each point is one training from start to end; colours are numbers of features. Rings: the best of each compute budget. ${drawn}`,
  }
}

/** Loss against size, one line for each budget. */
export async function lossOfSize({ points, frontier }: SparsityLaws): Promise<Figure> {
  const rows = byBudget(points).flatMap((budget) =>
    budget.map((point) => ({ ...point, budget: budget[0].compute })),
  )
  const sizes = [...new Set(points.map(({ features }) => features))].sort((a, b) => a - b)
  const optima = frontier.flatMap(({ optimalFeatures, best }) =>
    optimalFeatures === null ? [] : [{ features: optimalFeatures, loss: best.loss }],
  )
  const html = await plot((P) => ({
    ariaLabel: 'held-out loss against the number of features, one line for each compute budget',
    x: { ...logarithmic('features', sizes), base: 2, ticks: sizes, tickFormat: String },
    y: lossAxis(points),
    color: ordered(
      rows.map(({ budget }) => budget),
      'compute, FLOP',
      formatFlop,
    ),
    marks: [
      P.line(rows, { x: 'features', y: 'loss', stroke: 'budget', z: 'budget' }),
      P.dot(rows, { x: 'features', y: 'loss', fill: 'budget', r: 3 }),
      P.dot(optima, { x: 'features', y: 'loss', symbol: 'times', stroke: 'currentColor', r: 5 }),
    ],
  }))
  return {
    html,
    caption:
      'Colours are compute budgets, FLOP: at equal compute, a larger dictionary is trained for fewer steps. Crosses: the best size of each budget, where a parabola through the sizes around it is lowest.',
  }
}

/** Loss against steps, one line for each size. */
export async function lossOfSteps({ points, bySize }: SparsityLaws): Promise<Figure> {
  const html = await plot((P) => ({
    ariaLabel: 'held-out loss against training steps, one line for each size',
    x: logarithmic(
      'training steps',
      points.map(({ steps }) => steps),
    ),
    y: lossAxis(points),
    color: ordered(
      points.map(({ features }) => features),
      'features',
      formatCount,
    ),
    marks: [
      P.line(points, { x: 'steps', y: 'loss', stroke: 'features', z: 'features' }),
      P.dot(points, { x: 'steps', y: 'loss', fill: 'features', r: 3 }),
    ],
  }))
  const converged = bySize.filter((size) => size.converged).length
  return {
    html,
    caption: `What a size gains from longer training; colours are numbers of features. ${converged} of ${bySize.length} sizes have converged by the criterion of the fit.`,
  }
}

/** The best size and the best number of steps against compute; nothing where fewer than two budgets have them. */
export async function optima(laws: SparsityLaws): Promise<Figure[]> {
  const found = laws.frontier.filter((point) => point.optimalFeatures !== null)
  return found.length < 2 ? [] : [await optimum(laws, 'features'), await optimum(laws, 'steps')]
}

async function optimum(laws: SparsityLaws, what: 'features' | 'steps'): Promise<Figure> {
  const law: Fitted<FittedLogLine> = what === 'features' ? laws.featuresOfCompute : laws.stepsOfCompute
  const found = laws.frontier.flatMap(({ compute, optimalFeatures, optimalSteps }) =>
    optimalFeatures === null || optimalSteps === null
      ? []
      : [{ compute, value: what === 'features' ? optimalFeatures : optimalSteps }],
  )
  const { fit } = law
  const xs = found.map(({ compute }) => compute)
  const band = law.fit === null ? [] : law.extrapolated.slice(0, 1)
  const html = await plot((P) => ({
    ariaLabel: `best number of ${what} against training compute`,
    x: logarithmic('training compute, FLOP', [...xs, ...band.map(({ x }) => x)], formatFlop),
    y: logarithmic(what === 'features' ? 'best number of features' : 'best number of steps', [
      ...found.map(({ value }) => value),
      ...band.flatMap(({ interval }) => interval),
    ]),
    marks: [
      P.dot(found, { x: 'compute', y: 'value', fill: 'currentColor', r: 4 }),
      ...(fit ? fittedCurve(P, (x) => logLineAt(fit, x), xs, 10 * Math.max(...xs)) : []),
      P.ruleX(band, {
        x: 'x',
        y1: (place) => place.interval[0],
        y2: (place) => place.interval[1],
        strokeWidth: 3,
        strokeOpacity: 0.4,
      }),
    ],
  }))
  return {
    html,
    caption: fit
      ? `Dashed: extrapolated by a factor of 10, with its 95% interval at the end.`
      : `No law is drawn: ${law.reason}.`,
  }
}
