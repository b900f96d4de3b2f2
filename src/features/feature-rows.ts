import { locate } from '../corpus/windows.js'
import { quantile, quantileProbabilities, shownHistogram } from './activation-histogram.js'
import { coActiveWith, type FeatureSums } from './co-activation.js'
import type { Example } from './example-slots.js'
import type { FeatureCollector } from './feature-collector.js'
import {
  type exampleColumns,
  type featureColumns,
  type Row,
  type tokenColumns,
  topGroup,
} from './feature-tables.js'
import type { FeaturesConfig } from './features-config.js'
import { drawIntervalExamples } from './interval-examples.js'
import type { JointStatistics } from './joint-statistics.js'
import { logitBins, logitStatisticsOf } from './logit-statistics.js'
import type { LogitEnds } from './logit-weights.js'
import { alignedNeurons, correlatedNeurons } from './neurons.js'
import type { OwnFeatures } from './own-features.js'
import { missedBy, type PairBlock } from './pair-table.js'
import { type FeatureTokens, featureTokens } from './token-counts.js'
import { topExamplesOf } from './top-examples.js'

/** All that was gathered about some of the F features: those of one rank. */
export interface Gathered {
  own: OwnFeatures
  /** of these features, by their places */
  collector: FeatureCollector
  joint: JointStatistics
  /** of all features */
  totals: FeatureSums
  /** null where the hook point has no logit weights */
  ends: LogitEnds | null
}

/** What the kernels hold about some consecutive features, read back. */
export interface FeatureBlock {
  first: number
  count: number
  tokens: PairBlock
  coActive: PairBlock
  /** [count, D] sums of f_j x_d */
  products: Float32Array
  /** [count, Dout] */
  decoder: Float32Array
}

/** A feature's token table, and its row of the table of features. */
export function rowsOfFeature(
  gathered: Gathered,
  block: FeatureBlock,
  config: FeaturesConfig,
  feature: number,
): { feature: Row<typeof featureColumns>; tokens: Row<typeof tokenColumns>[] } {
  const { own, collector, joint, totals, ends } = gathered
  const place = feature - own.first
  const positions = { fires: totals.fires[feature], positions: totals.tokens }
  const table = featureTokens(joint.tokenCounts, block.tokens, feature, {
    ...positions,
    limit: config.tokenTable,
  })
  return {
    feature: {
      feature,
      ...figures(collector, table, place),
      ...logits(ends, place),
      ...neurons(gathered, block, config, feature),
      ...coActivation(totals, block, config, feature),
    },
    tokens: table.tokens.map(({ token, active, occurrences, activationSum, lift }, rank) => ({
      ...{ feature, rank, token, active, occurrences },
      ...{ activation_sum: activationSum, lift },
    })),
  }
}

function figures(collector: FeatureCollector, table: FeatureTokens, place: number) {
  const { tokens, fires, sum, max, histograms } = collector
  const of = { fires: fires[place], max: max[place] }
  return {
    ...of,
    density: tokens > 0 ? of.fires / tokens : 0,
    mean: of.fires > 0 ? sum[place] / of.fires : null,
    single_token: table.singleToken,
    tokens_missed: table.missed,
    histogram_range: histograms.range[place],
    histogram: shownHistogram(histograms, place),
    quantiles: quantileProbabilities
      .map((probability) => quantile(histograms, place, probability, of))
      .filter((activation) => activation !== null),
  }
}

function logits(ends: LogitEnds | null, place: number) {
  const k = ends?.k ?? 0
  const part = (list?: Int32Array | Float32Array) => list?.subarray(place * k, (place + 1) * k) ?? []
  const statistics = ends && logitStatisticsOf(ends.shapes, place)
  return {
    top_tokens: part(ends?.topTokens),
    top_logits: part(ends?.topWeights),
    bottom_tokens: part(ends?.bottomTokens),
    bottom_logits: part(ends?.bottomWeights),
    logit_mean: statistics?.mean ?? null,
    logit_deviation: statistics?.standardDeviation ?? null,
    logit_skewness: statistics?.skewness ?? null,
    logit_kurtosis: statistics?.kurtosis ?? null,
    logit_low: ends?.shapes.low[place] ?? null,
    logit_high: ends?.shapes.high[place] ?? null,
    logit_histogram: ends?.shapes.counts.subarray(place * logitBins, (place + 1) * logitBins) ?? [],
  }
}

function neurons(
  { totals, joint }: Gathered,
  { first, count, decoder, products }: FeatureBlock,
  config: FeaturesConfig,
  feature: number,
) {
  const rowOf = (matrix: Float32Array): Float32Array => {
    const width = matrix.length / count
    return matrix.subarray((feature - first) * width, (feature - first + 1) * width)
  }
  const aligned = alignedNeurons(rowOf(decoder), config.neurons)
  const correlated = correlatedNeurons(joint.neurons, rowOf(products), totals, feature, config.neurons)
  return {
    aligned_neurons: aligned.map(({ neuron }) => neuron),
    aligned_values: aligned.map(({ value }) => value),
    aligned_l1: aligned.map(({ l1 }) => l1),
    correlated_neurons: correlated.map(({ neuron }) => neuron),
    correlated_pearson: correlated.map(({ pearson }) => pearson),
    correlated_cosine: correlated.map(({ cosine }) => cosine),
  }
}

function coActivation(totals: FeatureSums, block: FeatureBlock, config: FeaturesConfig, feature: number) {
  const others = coActiveWith(block.coActive, totals, feature, config.coActive)
  return {
    co_active: others.map(({ feature }) => feature),
    co_active_counts: others.map(({ count }) => count),
    co_active_jaccard: others.map(({ jaccard }) => jaccard),
    co_active_pearson: others.map(({ pearson }) => pearson),
    co_active_cosine: others.map(({ cosine }) => cosine),
    co_active_missed: missedBy(block.coActive, feature),
  }
}

/** A feature's rows of the table of examples. */
export function exampleRows(
  { own, collector }: Gathered,
  config: FeaturesConfig,
  feature: number,
): Row<typeof exampleColumns>[] {
  const place = feature - own.first
  const top = topExamplesOf(collector.top, place)
  const drawn = drawIntervalExamples(collector.samples, collector.split, collector.histograms, place, {
    max: collector.max[place],
    intervals: config.intervals,
    perInterval: config.examplesPerInterval,
    taken: top,
  })
  let rank = 0
  return [
    ...top.map((example, rank) => exampleRow(collector, feature, topGroup, rank, example)),
    ...drawn.map(({ interval, example }, i) => {
      rank = i > 0 && drawn[i - 1].interval === interval ? rank + 1 : 0
      return exampleRow(collector, feature, interval, rank, example)
    }),
  ]
}

function exampleRow(
  { split }: FeatureCollector,
  feature: number,
  interval: number,
  rank: number,
  example: Example,
): Row<typeof exampleColumns> {
  const { document, offset } = locate(split, example.token)
  const { first, end } = example.range
  return {
    ...{ feature, interval, rank, document },
    activation: example.activation,
    position: offset,
    token_index: example.token - first,
    tokens: split.tokens.subarray(first, end),
    activations: example.activations,
  }
}
