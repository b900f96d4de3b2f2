import { formatNumber } from '../progress/rate.js'
import { renderBars } from '../terminal/bars.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import { type DensityReport, ultraLowDensity } from './density.js'
import type { EvalReport, Interval } from './eval-report.js'

/** The whole report for a terminal of 100 columns: figures with their intervals, losses, and how often features fire. */
export function renderEval(report: EvalReport): string {
  const { hookName, features, tokens, windows } = report
  const sample = `${formatNumber(tokens)} tokens of validation text (${formatNumber(windows)} windows)`
  return [
    `${hookName}: ${formatNumber(features)} features, measured on ${sample}`,
    renderFigures(report),
    renderLosses(report),
    renderDensity(report.density),
  ].join('\n\n')
}

const between = (interval: Interval | null, show: (value: number) => string): string =>
  interval === null ? '–' : `${show(interval[0])} to ${show(interval[1])}`

function renderFigures(report: EvalReport): string {
  const { intervals, l0Distribution: l0 } = report
  const one = (value: number | null): string => decimals(value, 1)
  const fine = (value: number | null): string => decimals(value, 4)
  const rows = [
    ['L0', one(report.l0), between(intervals.l0, one), 'features active on a token, on average'],
    ['', '', '', `median ${l0.median}; 5% at most ${l0.p5}, 95% at most ${l0.p95}; ${l0.min} to ${l0.max}`],
    ['L1', one(report.l1), '', 'sum of the activations of a token'],
    [
      'explained variance',
      percent(report.explainedVariance),
      between(intervals.explainedVariance, percent),
      'of the variance of the hooked activations',
    ],
    ['cosine similarity', decimals(report.cosine, 3), '', 'of activations and reconstructions'],
    ['squared error', formatNumber(report.squaredError), '', 'per token, summed over the activation'],
    [
      'loss recovered, zero',
      percent(report.lossRecovered),
      between(intervals.lossRecovered, percent),
      'of the loss that zero ablation costs',
    ],
    [
      'loss recovered, mean',
      percent(report.lossRecoveredMean),
      between(intervals.lossRecoveredMean, percent),
      'of the loss that mean ablation costs',
    ],
    [
      'KL divergence',
      fine(report.kl),
      between(intervals.kl, fine),
      'nats per token, from the original predictions',
    ],
  ]
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
    `dead features: ${formatNumber(density.dead)} (${percent(density.deadFraction)}) never fired on the sample`,
    ultraLowLine(density),
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

function ultraLowLine({ ultraLow, ultraLowFraction, resolution }: DensityReport): string {
  const name = `ultra-low density features (below ${ultraLowDensity.toExponential()})`
  if (ultraLow !== null) return `${name}: ${formatNumber(ultraLow)} (${percent(ultraLowFraction)})`
  return `${name}: the sample is too small, it shows densities from ${resolution.toExponential(1)}`
}
