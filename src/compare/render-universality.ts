import type { Interval } from '../eval/ratio-interval.js'
import { formatNumber } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { Comparison, Difference, SimilaritySummary, Universality } from './universality-file.js'

/** What is compared, in words. */
export const comparisonLabels: Record<Comparison, string> = {
  features: 'features with features',
  neurons: 'neurons with neurons',
  featuresToNeurons: 'features with neurons',
  shuffled: 'features, shuffled',
}

export const between = (interval: Interval | null): string =>
  interval === null ? '–' : `${decimals(interval[0], 2)} to ${decimals(interval[1], 2)}`

const order = Object.keys(comparisonLabels) as Comparison[]

/** Everything for a terminal of 100 columns: the medians of both similarities, and whether they agree. */
export function renderUniversality(universality: Universality): string {
  const { a, b, text, activation, logitWeights, noLogitWeights } = universality
  const count = formatNumber
  return [
    `${a.hookName}: ${count(a.features)} features of A, ${count(b.features)} of B; partners chosen on ${count(text.choosing)} tokens, measured on ${count(text.heldOut)}`,
    `${leftOut('A', universality.a, text.minFires)}\n${leftOut('B', universality.b, text.minFires)}`,
    `Activation similarity with the best partner (Pearson correlation over the same tokens)\n${renderSimilarity(activation)}`,
    logitWeights === null
      ? `No logit-weight similarity: ${noLogitWeights}`
      : `Logit-weight similarity with the best partner (Pearson correlation over the vocabulary)\n${renderSimilarity(logitWeights)}`,
    ...headlines(universality),
  ].join('\n\n')
}

export const leftOut = (name: string, side: Universality['a'], minFires: number): string =>
  `${name}: ${formatNumber(side.features - side.compared)} features left out, they fired on fewer than ${minFires} tokens (${formatNumber(side.dead)} of them never)`

function renderSimilarity(summaries: Record<Comparison, SimilaritySummary>): string {
  const heldOut = order.some((name) => summaries[name].heldOut !== null)
  const columns: Column[] = [
    { heading: 'compared', align: 'left' },
    { heading: 'of A' },
    { heading: 'with' },
    { heading: 'median' },
    { heading: '95% interval' },
    { heading: 'features above by' },
    ...(heldOut ? [{ heading: 'held out' }, { heading: '95% interval' }] : []),
  ]
  const rows = order.map((name) => {
    const { compared, candidates, median, interval, below, heldOut: again } = summaries[name]
    return [
      comparisonLabels[name],
      formatNumber(compared),
      formatNumber(candidates),
      decimals(median, 2),
      between(interval),
      below === null ? '' : decimals(below.value, 2),
      ...(again === null ? [] : [decimals(again.median, 2), between(again.interval)]),
    ]
  })
  const reasons = order.flatMap((name) => {
    const { reason } = summaries[name]
    return reason === null ? [] : [`${comparisonLabels[name]}: underpowered, ${reason}`]
  })
  return [renderTable(columns, rows), ...reasons].join('\n')
}

/** What the numbers say, in sentences. */
export function headlines({ activation, agreement, b }: Universality): string[] {
  const { features, neurons, shuffled } = activation
  const lines = []
  if (features.median !== null && neurons.below && shuffled.below)
    lines.push(
      `The median feature of A has an activation similarity of ${decimals(features.median, 2)} with its best partner in B: ` +
        `${apart(neurons.below, "the median neuron's")}` +
        `${neurons.heldOut?.below ? ` (on held-out documents ${apart(neurons.heldOut.below, "the neurons'")})` : ''}, ` +
        `and ${apart(shuffled.below, 'what chance reaches')}.`,
    )
  if (agreement.mutual !== null)
    lines.push(`${percent(agreement.mutual)} of the features are the partner of their partner.`)
  if (agreement.samePartner !== null)
    lines.push(
      `For ${percent(agreement.samePartner)} of the features logit weights name the same partner as activations do (chance: ${percent(1 / b.compared, 2)}); ` +
        `over pairs, the two similarities correlate by ${decimals(agreement.spearman, 2)} (Spearman).`,
    )
  return lines
}

/** "0.12 (0.10 to 0.14) above the neurons'" */
function apart({ value, interval }: Difference, baseline: string): string {
  const clear = interval !== null && (interval[0] > 0 || interval[1] < 0)
  return `${decimals(value, 2)} (${between(interval)}) ${clear ? '' : 'and so not clearly '}above ${baseline}`
}
