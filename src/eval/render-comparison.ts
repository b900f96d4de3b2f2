import { formatNumber } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { EvalComparison } from './eval-comparison.js'

/** The comparison for a terminal: one line for each autoencoder, the frontiers, and what to beware of. */
export function renderComparison({ hookName, evaluations, frontiers, warnings }: EvalComparison): string {
  const columns: Column[] = [
    { heading: hookName, align: 'left' },
    ...['features', 'L0', 'variance', 'loss, zero', 'loss, mean', 'cosine', 'L2 ratio', 'dead'].map(
      (heading) => ({ heading }),
    ),
  ]
  const rows = evaluations.map(({ name, report }) => [
    name,
    formatNumber(report.features),
    decimals(report.l0, 1),
    percent(report.explainedVariance),
    percent(report.lossRecovered),
    percent(report.lossRecoveredMean),
    decimals(report.cosine, 3),
    decimals(report.l2Ratio, 3),
    percent(report.deadFraction),
  ])
  return [
    renderTable(columns, rows),
    [
      'variance: explained; loss: recovered against zero and mean ablation. No other has a smaller L0 and',
      `more loss recovered than: ${frontiers.lossRecovered.join(', ') || '–'}`,
      `more variance explained than: ${frontiers.explainedVariance.join(', ') || '–'}`,
    ].join('\n'),
    ...warnings.map((warning) => `warning: ${warning}`),
  ].join('\n\n')
}
