import { formatNumber } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { SplittingSize, SplittingStep, SplittingSummary } from './splitting-file.js'

/** The summary for a terminal of 100 columns: the dictionaries, and what becomes of features between them. */
export function renderSplitting(summary: SplittingSummary): string {
  const { hookName, tokens, thresholds, sizes, steps } = summary
  return [
    `${hookName}: ${sizes.length} autoencoders on ${formatNumber(tokens)} tokens of validation text`,
    renderSizes(summary),
    renderSteps(sizes, steps),
    renderAgreement(sizes, steps),
    `A parent has a cosine of at least ${thresholds.cosine} and a correlation of at least ${thresholds.correlation} with its child. ` +
      `Features that\nfired on fewer than ${thresholds.fires} tokens are not judged.`,
  ].join('\n\n')
}

/** "512 → 1,024" */
export const stepName = (sizes: readonly SplittingSize[], step: number): string =>
  `${sizes[step].features.toLocaleString('en')} → ${sizes[step + 1].features.toLocaleString('en')}`

function renderSizes({ sizes, concepts }: SplittingSummary): string {
  const columns: Column[] = [
    { heading: 'features' },
    { heading: 'L0' },
    { heading: 'judged' },
    { heading: 'underpowered' },
    { heading: 'dead' },
    ...concepts.map((heading) => ({ heading, group: 'features at least half about' })),
  ]
  const rows = sizes.map((size) => [
    size.features.toLocaleString('en'),
    decimals(size.l0, 1),
    ...[size.judged, size.underpowered, size.dead, ...size.perConcept].map(String),
  ])
  return renderTable(columns, rows)
}

function renderSteps(sizes: readonly SplittingSize[], steps: readonly SplittingStep[]): string {
  const columns: Column[] = [
    { heading: 'step', align: 'left' },
    { heading: 'kept', group: 'of the smaller' },
    { heading: 'split', group: 'of the smaller' },
    { heading: 'lost', group: 'of the smaller' },
    { heading: 'of kept', group: 'of the larger' },
    { heading: 'of split', group: 'of the larger' },
    { heading: 'new', group: 'of the larger' },
  ]
  const rows = steps.map((step, i) => [
    stepName(sizes, i),
    ...[step.kept, step.split, step.lost, step.ofKept, step.ofSplit, step.new].map(String),
  ])
  return renderTable(columns, rows)
}

function renderAgreement(sizes: readonly SplittingSize[], steps: readonly SplittingStep[]): string {
  const columns: Column[] = [
    { heading: 'step', align: 'left' },
    { heading: 'cosine', group: 'median of the best' },
    { heading: 'correlation', group: 'median of the best' },
    { heading: 'cosine', group: '99% by chance' },
    { heading: 'correlation', group: '99% by chance' },
    { heading: 'same best' },
    { heading: 'same cluster' },
  ]
  const rows = steps.map(({ cosine, correlation, agreement, sameCluster }, i) => [
    stepName(sizes, i),
    decimals(cosine.median, 2),
    decimals(correlation.median, 2),
    decimals(cosine.chance.p99, 2),
    decimals(correlation.chance.p99, 2),
    percent(agreement.sameBest),
    percent(sameCluster),
  ])
  return renderTable(columns, rows)
}
