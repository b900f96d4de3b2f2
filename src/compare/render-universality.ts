import { formatNumber } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { Interval } from './bootstrap-medians.js'
import type { Comparison, SimilaritySummary, Universality } from './universality-file.js'

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
export function headlines({ activation, agreement }: Universality): string[] {
  const { neurons, shuffled } = activation
  const held = neurons.heldOut?.below
  const lines = []
  if (neurons.below && shuffled.below)
    lines.push(
      `The median feature is ${verdict(neurons.below.interval)} the median neuron: by ${decimals(neurons.below.value, 2)} (${between(neurons.below.interval)})` +
        `${held ? `, on held-out documents by ${decimals(held.value, 2)} (${between(held.interval)})` : ''}; ` +
        `and ${verdict(shuffled.below.interval)} chance: by ${decimals(shuffled.below.value, 2)} (${between(shuffled.below.interval)}).`,
    )
  if (agreement.mutual !== null)
    lines.push(
      `${percent(agreement.mutual)} of the features are the partner of their partner.` +
        (agreement.samePartner === null
          ? ''
          : ` For ${percent(agreement.samePartner)} both similarities name the same partner; over pairs they correlate by ${decimals(agreement.spearman, 2)} (Spearman).`),
    )
  return lines
}

/** @param interval of a difference of medians */
function verdict(interval: Interval | null): string {
  if (interval === null) return 'beside'
  if (interval[0] > 0) return 'above'
  return interval[1] < 0 ? 'below' : 'not clearly above'
}
