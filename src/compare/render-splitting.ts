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
    ...splittingWarnings(summary).map((text) => `warning: ${text}`),
  ].join('\n\n')
}

/** Share of children with the id of their parent from which on that is no chance. */
const tooManySameIds = 0.25

/** What the reader must know before believing the counts. */
export function splittingWarnings({ sizes, steps, thresholds }: SplittingSummary): string[] {
  const rare = sizes.flatMap(({ features, underpowered, judged }) =>
    underpowered > judged
      ? `of the ${formatNumber(features)} features of one dictionary, ${formatNumber(underpowered)} fired on fewer than ${thresholds.fires} tokens, more than the ` +
        `${formatNumber(judged)} that are judged: its counts say little about the rest. Read more text with --tokens.`
      : [],
  )
  const sameStart = steps.flatMap(({ agreement }, i) =>
    (agreement.sameId ?? 0) >= tooManySameIds
      ? `${stepName(sizes, i)}: ${percent(agreement.sameId)} of the children have the id of their parent: the two autoencoders started from the same random ` +
        'weights, so that features may match for that reason alone. Train each size with a --seed of its own and one --stream-seed.'
      : [],
  )
  return [...rare, ...sameStart]
}

/** "512 → 1,024" */
export const stepName = (sizes: readonly SplittingSize[], step: number): string =>
  `${formatNumber(sizes[step].features)} → ${formatNumber(sizes[step + 1].features)}`

function renderSizes({ sizes, concepts }: SplittingSummary): string {
  const columns: Column[] = [
    { heading: 'features' },
    { heading: 'L0' },
    { heading: 'judged' },
    { heading: 'underpowered' },
    { heading: 'dead' },
    ...concepts.map((heading) => ({ heading, group: 'features mostly on' })),
  ]
  const rows = sizes.map((size) => [
    formatNumber(size.features),
    decimals(size.l0, 1),
    ...[size.judged, size.underpowered, size.dead, ...size.perConcept].map(formatNumber),
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
    ...[step.kept, step.split, step.lost, step.ofKept, step.ofSplit, step.new].map(formatNumber),
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
