import { fitToWidth } from '../terminal/display-width.js'
import { decimals } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import {
  type ExplainAggregates,
  type ExplainedFeature,
  type ExplainReport,
  scoreNamed,
} from './explain-report.js'
import type { MeanInterval } from './mean-interval.js'

/** Features that a table shows at most, unless told otherwise. */
const defaultRows = 40

/** Scores with a column of their own, when a report has them: their heading. */
const scoreColumns: readonly [string, string][] = [
  ['spearman', 'Spearman'],
  ['pearson', 'Pearson'],
  ['statistics', 'statistics'],
  ['neuron', 'neuron'],
  ['shuffled', 'shuffled'],
  ['detection', 'detection'],
  ['fuzzing', 'fuzzing'],
  ['intruder', 'intruder'],
  ['embedding', 'embedding'],
  ['logit', 'logit'],
]

/**
 * Explanations with their scores, then the means that they are held against.
 * @param options.rows features shown; default 40; the rest is counted
 */
export function renderExplainReport(
  report: ExplainReport,
  options: { width: number; rows?: number },
): string {
  return [
    renderExplanations(report.features, options),
    renderAggregates(report),
    countsLine(report),
    ...report.features
      .filter(({ status }) => status === 'failed')
      .slice(0, 5)
      .map(({ feature, reason }) => `feature ${feature} failed: ${reason}`),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

/** A table of the features that have an explanation. */
export function renderExplanations(
  features: readonly ExplainedFeature[],
  { width, rows = defaultRows }: { width: number; rows?: number },
): string {
  const explained = features.filter(({ status }) => status === 'explained')
  if (explained.length === 0) return ''
  const used = scoreColumns.filter(([name]) =>
    explained.some(({ scores }) => scores.some(({ scorer }) => scorer === name)),
  )
  const room = Math.max(24, width - 9 - used.reduce((sum, [, heading]) => sum + heading.length + 2, 0) - 2)
  const shown = explained.slice(0, rows)
  const cells = shown.map(({ feature, text, scores, singleToken }) => [
    String(feature),
    fitToWidth(`${text}${singleToken ? ' (one token)' : ''}`, room).trimEnd(),
    ...used.map(([name]) => decimals(scoreNamed(scores, name), 2)),
  ])
  const columns: Column[] = [
    { heading: 'feature' },
    { heading: 'explanation', align: 'left' },
    ...used.map(([, heading]) => ({ heading })),
  ]
  const rest = explained.length - shown.length
  return [renderTable(columns, cells), ...(rest > 0 ? [`... and ${rest} more`] : [])].join('\n')
}

/** The means, each with its 95% confidence interval and what it is of. */
export function renderAggregates({
  aggregates,
  explainer,
}: Pick<ExplainReport, 'aggregates' | 'explainer'>): string {
  const rows: [keyof ExplainAggregates, string, string][] = [
    ['features', 'features', `explained by ${explainer}`],
    ['withoutSingleToken', '', 'those active on more than one token'],
    ['singleToken', '', 'those active on one token only'],
    ['statistics', 'statistics', 'the same features, explained by statistics'],
    ['bestNeuron', 'best neuron', 'for each feature the neuron that goes with it most'],
    ['neurons', 'neurons', 'all neurons of the hook point, explained by statistics'],
    ['shuffled', 'shuffled', 'the explanation of another feature'],
  ]
  const cells = rows
    .filter(([name]) => aggregates[name].n > 0 && !(name === 'statistics' && explainer === 'statistics'))
    .map(([name, label, meaning]) => [
      label,
      decimals(aggregates[name].mean, 3),
      intervalText(aggregates[name]),
      String(aggregates[name].n),
      meaning,
    ])
  if (cells.length === 0) return ''
  return renderTable(
    [
      { heading: '', align: 'left' },
      { heading: 'mean Spearman' },
      { heading: '95% interval', align: 'left' },
      { heading: 'n' },
      { heading: 'of', align: 'left' },
    ],
    cells,
  )
}

const intervalText = ({ low, high }: MeanInterval): string =>
  low === null ? '–' : `${decimals(low, 3)} to ${decimals(high, 3)}`

function countsLine({ counts, unscored }: ExplainReport): string {
  const parts = [
    `${counts.explained} explained`,
    ...(counts.dead > 0 ? [`${counts.dead} dead`] : []),
    ...(counts.rare > 0 ? [`${counts.rare} with too little text`] : []),
    ...(counts.failed > 0 ? [`${counts.failed} failed`] : []),
    ...(unscored > 0 ? [`${unscored} without a score`] : []),
  ]
  return `${parts.join(', ')}. Scores are on held-out text; what has none is in no mean.`
}
