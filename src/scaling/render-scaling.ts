import { formatNumber } from '../progress/rate.js'
import { type Column, renderTable } from '../terminal/table.js'
import {
  describeLaws,
  extrapolationHeadings,
  extrapolationRows,
  frontierHeadings,
  frontierRows,
  lossName,
  sparsityName,
  warningsOf,
} from './describe-laws.js'
import type { SparsityLaws } from './fit-laws.js'
import type { ScalingReport } from './scaling-report.js'

/** The whole report for a terminal of 100 columns. */
export function renderScaling(report: ScalingReport): string {
  const { hookName, architecture, jobs, heldOutTokens } = report
  return [
    `${hookName}: ${jobs.length} ${architecture} autoencoders, measured on ${formatNumber(heldOutTokens)} held-out tokens`,
    ...warningsOf(report).map((warning) => `warning: ${warning}`),
    ...report.laws.flatMap((laws) => [
      `${sparsityName(report, laws.sparsity)}; loss: ${lossName(report)}`,
      renderFrontier(laws),
      renderLaws(laws),
      ...renderExtrapolation(laws),
    ]),
  ].join('\n\n')
}

const right = (heading: string): Column => ({ heading })

const renderFrontier = (laws: SparsityLaws): string =>
  renderTable(frontierHeadings.map(right), frontierRows(laws))

function renderLaws(laws: SparsityLaws): string {
  const rows = describeLaws(laws)
  const fitted = rows.filter(({ reason }) => reason === null)
  const columns: Column[] = [
    { heading: 'law', align: 'left' },
    { heading: '', align: 'left' },
    { heading: 'exponent' },
    { heading: '95% interval' },
    { heading: 'L∞' },
    { heading: '95% interval' },
    { heading: 'error' },
  ]
  const cells = fitted.map((row) => [
    ...[row.name, row.formula, row.exponent, row.exponentInterval],
    ...[row.irreducible, row.irreducibleInterval, row.error],
  ])
  const missing = rows.flatMap(({ name, reason }) => (reason === null ? [] : [`${name}: ${reason}`]))
  return [...(cells.length > 0 ? [renderTable(columns, cells)] : []), ...missing].join('\n')
}

function renderExtrapolation(laws: SparsityLaws): string[] {
  const rows = extrapolationRows(laws)
  return rows.length === 0
    ? []
    : [`extrapolated, not measured:\n${renderTable(extrapolationHeadings.map(right), rows)}`]
}
