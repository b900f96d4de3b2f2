import { formatNumber } from '../progress/rate.js'
import { renderBars } from '../terminal/bars.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { DecoderReport } from './decoder-geometry.js'
import type { DensityReport } from './density.js'
import { evalFigures } from './eval-figures.js'
import type { EvalReport } from './eval-report.js'
import type { Distribution } from './histogram.js'
import { ultraLowDensity } from './power.js'
import type { Interval } from './ratio-interval.js'

/** The whole report for a terminal of 100 columns: figures with their intervals, losses, how often features fire, and what the sample is too small for. */
export function renderEval(report: EvalReport): string {
  const { hookName, features, tokens, documents } = report
  const sample = `${formatNumber(tokens)} tokens of validation text (${formatNumber(documents)} documents)`
  return [
    `${hookName}: ${formatNumber(features)} features, measured on ${sample}`,
    renderFigures(report),
    renderLosses(report),
    renderDensity(report.density),
    renderDecoder(report.decoder),
    ...renderUnderpowered(report),
  ].join('\n\n')
}

function renderUnderpowered({ underpowered }: EvalReport): string[] {
  if (underpowered.length === 0) return []
  return [['too small a sample:', ...underpowered.map(({ reason }) => `  ${reason}`)].join('\n')]
}

const between = (interval: Interval | null, show: (value: number) => string): string =>
  interval === null ? '–' : `${show(interval[0])} to ${show(interval[1])}`

function renderFigures(report: EvalReport): string {
  const { l0Distribution: l0 } = report
  const rows = evalFigures.flatMap(({ name, label, show, meaning }) => {
    const row = [label, show(report[name]), between(report.intervals[name], show), meaning]
    const spread = `median ${l0.median}; 5% at most ${l0.p5}, 95% at most ${l0.p95}; ${l0.min} to ${l0.max}`
    return name === 'l0' ? [row, ['', '', '', spread]] : [row]
  })
  const columns: Column[] = [
    { heading: 'measure', align: 'left' },
    { heading: 'value' },
    { heading: '95% interval' },
    { heading: 'meaning', align: 'left' },
  ]
  return renderTable(columns, rows)
}

function renderLosses({ losses, lossIntervals }: EvalReport): string {
  const fine = (value: number): string => value.toFixed(4)
  const row = (label: string, name: keyof EvalReport['losses']): string[] => {
    const above = losses[name] - losses.clean
    const sign = above < 0 ? '−' : '+'
    return [
      label,
      fine(losses[name]),
      between(lossIntervals[name], fine),
      name === 'clean' ? '' : sign + fine(Math.abs(above)),
    ]
  }
  const columns: Column[] = [
    { heading: 'activation replaced by', align: 'left' },
    { heading: 'loss, nats per token' },
    { heading: '95% interval' },
    { heading: 'above the original' },
  ]
  return renderTable(columns, [
    row('nothing (original)', 'clean'),
    row('its reconstruction', 'spliced'),
    row('the mean', 'meanAblated'),
    row('zero', 'zeroAblated'),
  ])
}

/** Columns of the histogram for each bin of the report. */
const binWidth = 2

function renderDensity(density: DensityReport): string {
  const { edges, counts } = density.histogram
  const lines = [
    countLine('dead features: never fired on the sample', density.dead, density.deadFraction),
    countLine('dense features: on more than 10% of tokens', density.dense, density.denseFraction),
    countLine(
      `ultra-low density features: below ${ultraLowDensity.toExponential()}`,
      density.ultraLow,
      density.ultraLowFraction,
    ),
  ]
  const first = counts.findIndex((count) => count > 0)
  if (first < 0) return lines.join('\n')
  const last = counts.findLastIndex((count) => count > 0)
  // Whole decades, so that the axis has a label at each end.
  const isDecade = (edge: number): boolean => Number.isInteger(edge)
  const from = edges.findLastIndex((edge, i) => i <= first && isDecade(edge))
  const to = edges.findIndex((edge, i) => i > last && isDecade(edge))
  const shown = counts.slice(from, to).flatMap((count) => Array<number>(binWidth).fill(count))
  const axis = edges.slice(from, to + 1).map((edge) => (isDecade(edge) ? `10^${edge}`.padEnd(binWidth) : ''))
  return [
    'features by the share of tokens on which they fire (bar heights are logarithmic)',
    ...renderBars(shown, 5).map((line) => `  ${line}`.trimEnd()),
    `  ${'▔'.repeat(shown.length)}`,
    `  ${placeLabels(axis)}`,
    ...lines,
  ].join('\n')
}

/** Labels, each starting under the left edge of its bin. */
function placeLabels(labels: readonly string[]): string {
  let line = ''
  labels.forEach((label, i) => {
    if (label !== '') line = `${line.padEnd(i * binWidth)}${label}`
  })
  return line
}

const countLine = (what: string, count: number | null, fraction: number | null): string =>
  `${what.padEnd(44)} ${count === null ? 'the sample is too small' : `${formatNumber(count)} (${percent(fraction)})`}`

function renderDecoder({ maxCosine, alignment }: DecoderReport): string {
  const row = (label: string, found: Distribution | null): string[] => [
    label,
    ...(['p5', 'median', 'p95', 'max'] as const).map((name) => decimals(found?.[name], 2)),
  ]
  const columns: Column[] = [
    { heading: 'cosine over features of', align: 'left' },
    { heading: '5%' },
    { heading: 'median' },
    { heading: '95%' },
    { heading: 'largest' },
  ]
  return renderTable(columns, [
    row('decoder direction and the nearest other one', maxCosine),
    row('encoder direction and decoder direction', alignment),
  ])
}
