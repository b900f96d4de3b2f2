import { plot } from '../report/plot.js'
import type { EvalReport } from './eval-report.js'
import type { FeatureFigures } from './evaluate.js'
import type { Histogram } from './histogram.js'
import type { Interval } from './ratio-interval.js'

/** A histogram with a name, where several are laid over one another. */
export interface NamedHistogram {
  name: string
  histogram: Histogram
}

interface Bar {
  from: number
  to: number
  count: number
  /** of everything that is counted */
  share: number
  name: string
}

/** Bins that hold something, and those between them. */
function barsOf({ name, histogram: { edges, counts } }: NamedHistogram): Bar[] {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const first = counts.findIndex((count) => count > 0)
  const last = counts.findLastIndex((count) => count > 0)
  return counts
    .map((count, i) => ({ from: edges[i], to: edges[i + 1], count, share: count / total, name }))
    .filter((_, i) => first >= 0 && i >= first && i <= last)
}

const power = (exponent: number): string =>
  Number.isInteger(exponent) ? `10${String(exponent).replace(/[-\d]/g, (digit) => superscripts[digit])}` : ''

const superscripts: Readonly<Record<string, string>> = Object.fromEntries(
  [...'-0123456789'].map((digit, i) => [digit, [...'⁻⁰¹²³⁴⁵⁶⁷⁸⁹'][i]]),
)

/** Room for labels of axes, and of marks above the frame. */
const margins = { marginTop: 34, marginBottom: 44, marginRight: 24 }

/** Bars over log10 of the density. @param marks densities with a dashed line, and what they mean */
export function plotDensities(
  histogram: Histogram,
  marks: readonly { density: number; text: string }[],
): Promise<string> {
  const bars = barsOf({ name: '', histogram })
  const low = Math.min(...bars.map(({ from }) => from))
  const lines = marks
    .map(({ density, text }) => ({ x: Math.log10(density), text }))
    .filter(({ x }) => x >= low - 1)
  return plot((Plot) => ({
    ...margins,
    ariaLabel: 'histogram of the log10 density of features',
    x: { label: 'share of tokens on which a feature fires', tickFormat: power },
    y: { label: 'features', grid: true },
    marks: [
      Plot.rectY(bars, { x1: 'from', x2: 'to', y: 'count', fill: '#0072b2', insetRight: 1 }),
      Plot.ruleY([0]),
      Plot.ruleX(lines, { x: 'x', stroke: '#d55e00', strokeDasharray: '4 3' }),
      Plot.text(lines, {
        x: 'x',
        text: 'text',
        frameAnchor: 'top',
        dy: -14,
        fill: '#d55e00',
      }),
    ],
  }))
}

/** Density histograms of several autoencoders as outlines, in shares of each one's features that fired. */
export function plotDensityOutlines(all: readonly NamedHistogram[]): Promise<string> {
  const outline = all.flatMap((one) => {
    const bars = barsOf(one)
    return bars.flatMap(({ from, to, share, name }) => [
      { x: from, share, name },
      { x: to, share, name },
    ])
  })
  return plot((Plot) => ({
    ...margins,
    ariaLabel: 'density histograms of all autoencoders',
    x: { label: 'share of tokens on which a feature fires', tickFormat: power },
    y: { label: 'share of the features that fired', percent: true, grid: true },
    color: { legend: true, domain: all.map(({ name }) => name) },
    marks: [Plot.ruleY([0]), Plot.lineY(outline, { x: 'x', y: 'share', stroke: 'name', strokeWidth: 1.5 })],
  }))
}

/** Bars with a line at one value. */
export function plotBars(
  histogram: Histogram,
  axes: { x: string; y: string; description: string },
  mark: { value: number; text: string } | null,
): Promise<string> {
  const marks = mark === null ? [] : [mark]
  return plot((Plot) => ({
    ...margins,
    ariaLabel: axes.description,
    x: { label: axes.x },
    y: { label: axes.y, grid: true },
    marks: [
      Plot.rectY(barsOf({ name: '', histogram }), {
        x1: 'from',
        x2: 'to',
        y: 'count',
        fill: '#0072b2',
        insetRight: 1,
      }),
      Plot.ruleY([0]),
      Plot.ruleX(marks, { x: 'value', stroke: '#d55e00', strokeDasharray: '4 3' }),
      Plot.text(marks, {
        x: 'value',
        text: 'text',
        frameAnchor: 'top',
        dy: -14,
        fill: '#d55e00',
      }),
    ],
  }))
}

/** The four losses with their intervals, on one scale. */
export function plotLosses({ losses, lossIntervals }: EvalReport): Promise<string> {
  const rows = (
    [
      ['clean', 'original'],
      ['spliced', 'reconstruction'],
      ['meanAblated', 'mean'],
      ['zeroAblated', 'zero'],
    ] as const
  ).map(([name, label]) => ({
    label,
    loss: losses[name],
    low: lossIntervals[name]?.[0] ?? losses[name],
    high: lossIntervals[name]?.[1] ?? losses[name],
  }))
  return plot((Plot) => ({
    ariaLabel: 'cross-entropy with the activation replaced',
    ...margins,
    height: 230,
    marginLeft: 110,
    x: { label: 'cross-entropy, nats per token', grid: true },
    y: { label: null, domain: rows.map(({ label }) => label) },
    marks: [
      Plot.ruleX([losses.clean], { strokeDasharray: '4 3' }),
      Plot.ruleY(rows, { y: 'label', x1: 'low', x2: 'high', stroke: '#0072b2', strokeWidth: 3 }),
      Plot.dot(rows, { y: 'label', x: 'loss', fill: '#0072b2', r: 5 }),
      Plot.text(rows, {
        y: 'label',
        x: 'loss',
        text: ({ loss }: { loss: number }) => loss.toFixed(3),
        dy: -13,
      }),
    ],
  }))
}

/** Features by density and largest decoder cosine, in hexagons: the darker, the more features. */
export function plotDensityAgainstCosine(
  { fires, maxCosines }: Pick<FeatureFigures, 'fires' | 'maxCosines'>,
  tokens: number,
): Promise<string> {
  const points = Array.from(maxCosines ?? [], (cosine, j) => ({
    density: Math.log10(fires[j] / tokens),
    cosine,
  })).filter(({ density }) => Number.isFinite(density))
  return plot((Plot) => ({
    ...margins,
    ariaLabel: 'density of features against the cosine with their nearest decoder direction',
    x: { label: 'share of tokens on which a feature fires', tickFormat: power },
    y: { label: 'largest cosine with another decoder direction', grid: true },
    opacity: { type: 'log', range: [0.15, 1] },
    marks: [
      Plot.hexagon(
        points,
        Plot.hexbin({ fillOpacity: 'count' }, { x: 'density', y: 'cosine', binWidth: 12, fill: '#0072b2' }),
      ),
    ],
  }))
}

/** A point of a frontier. */
export interface FrontierPoint {
  name: string
  l0: number
  l0Interval: Interval | null
  value: number
  interval: Interval | null
}

/** A figure against L0, both with intervals. Points are joined by a line where no other is better in both: fewer features and a larger value. */
export function plotFrontier(points: readonly FrontierPoint[], label: string): Promise<string> {
  const rows = points.map(({ l0Interval, interval, ...point }) => ({
    ...point,
    left: l0Interval?.[0] ?? point.l0,
    right: l0Interval?.[1] ?? point.l0,
    low: interval?.[0] ?? point.value,
    high: interval?.[1] ?? point.value,
  }))
  return plot((Plot) => ({
    ariaLabel: `${label} against L0`,
    ...margins,
    marginRight: 90,
    x: { label: 'L0, active features per token', grid: true, nice: true },
    y: {
      label,
      grid: true,
      nice: true,
      tickFormat: (value: number) => `${Number((100 * value).toFixed(2))}%`,
    },
    color: { domain: points.map(({ name }) => name) },
    marks: [
      Plot.line(frontierOf(points), { x: 'l0', y: 'value', strokeOpacity: 0.4, strokeDasharray: '4 3' }),
      Plot.ruleX(rows, { x: 'l0', y1: 'low', y2: 'high', stroke: 'name', strokeWidth: 1.5 }),
      Plot.ruleY(rows, { y: 'value', x1: 'left', x2: 'right', stroke: 'name', strokeWidth: 1.5 }),
      Plot.dot(rows, { x: 'l0', y: 'value', fill: 'name', r: 4 }),
      Plot.text(rows, { x: 'l0', y: 'value', text: 'name', textAnchor: 'start', dx: 8, dy: -8 }),
    ],
  }))
}

/** Those that no other point beats in both, by L0. */
export function frontierOf<P extends Pick<FrontierPoint, 'l0' | 'value'>>(points: readonly P[]): P[] {
  const beats = (a: P, b: P): boolean =>
    a.l0 <= b.l0 && a.value >= b.value && (a.l0 < b.l0 || a.value > b.value)
  return points.filter((point) => !points.some((other) => beats(other, point))).sort((a, b) => a.l0 - b.l0)
}
