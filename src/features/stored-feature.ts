import type { FeaturesSummary } from './build-features.js'
import type {
  FeatureDetail,
  FeatureExample,
  FeatureRow,
  LogitWeight,
  TokenStatistics,
} from './feature-detail.js'
import { topGroup } from './feature-tables.js'

/** A row of one of the tables, by column. */
export type StoredRow = Record<string, unknown>

/** The rows of one feature in each table. */
export interface StoredFeature {
  feature: StoredRow
  tokens: StoredRow[]
  examples: StoredRow[]
}

type Figures = Pick<FeatureRow, 'feature' | 'fires' | 'density' | 'max' | 'mean' | 'singleToken'>

function figuresOf(row: StoredRow): Figures {
  return {
    feature: row.feature as number,
    fires: row.fires as number,
    density: row.density as number,
    max: row.max as number,
    mean: row.mean as number | null,
    singleToken: row.single_token as boolean,
  }
}

/** A line of the feature list. */
export function listedFeature(row: StoredRow, strongest?: StoredRow): FeatureRow {
  return {
    ...figuresOf(row),
    topTokens: row.top_tokens as number[],
    topExample: strongest ? exampleOf(strongest) : null,
  }
}

/** Everything about one feature. */
export function detailOf(stored: StoredFeature, summary: FeaturesSummary): FeatureDetail {
  const row = stored.feature
  const examples = stored.examples.map(exampleOf).sort((a, b) => a.rank - b.rank)
  const quantiles = row.quantiles as number[]
  return {
    ...figuresOf(row),
    histogram: { range: row.histogram_range as number, counts: row.histogram as number[] },
    quantiles: quantiles.map((activation, i) => ({
      probability: summary.quantileProbabilities[i],
      activation,
    })),
    tokens: stored.tokens.sort((a, b) => (a.rank as number) - (b.rank as number)).map(tokenOf),
    tokensMissed: row.tokens_missed as number,
    ...jointOf(row),
    ...logitsOf(row),
    top: examples.filter((example) => example.interval === null),
    intervals: examples
      .filter((example) => example.interval !== null)
      .sort((a, b) => (b.interval as number) - (a.interval as number)),
  }
}

type JointPanels = Pick<FeatureDetail, 'coActive' | 'coActiveMissed' | 'alignedNeurons' | 'correlatedNeurons'>

function jointOf(row: StoredRow): JointPanels {
  const list = (column: string): number[] => row[column] as number[]
  return {
    coActive: list('co_active').map((feature, i) => ({
      feature,
      count: list('co_active_counts')[i],
      jaccard: list('co_active_jaccard')[i],
      pearson: list('co_active_pearson')[i],
      cosine: list('co_active_cosine')[i],
    })),
    coActiveMissed: row.co_active_missed as number,
    alignedNeurons: list('aligned_neurons').map((neuron, i) => ({
      neuron,
      value: list('aligned_values')[i],
      l1: list('aligned_l1')[i],
    })),
    correlatedNeurons: list('correlated_neurons').map((neuron, i) => ({
      neuron,
      pearson: list('correlated_pearson')[i],
      cosine: list('correlated_cosine')[i],
    })),
  }
}

type LogitPanels = Pick<FeatureDetail, 'topLogits' | 'bottomLogits' | 'logitStatistics' | 'logitHistogram'>

function logitsOf(row: StoredRow): LogitPanels {
  const none = row.logit_mean === null
  return {
    topLogits: weightsOf(row.top_tokens, row.top_logits),
    bottomLogits: weightsOf(row.bottom_tokens, row.bottom_logits),
    logitStatistics: none
      ? null
      : {
          mean: row.logit_mean as number,
          standardDeviation: row.logit_deviation as number,
          skewness: row.logit_skewness as number,
          kurtosis: row.logit_kurtosis as number,
        },
    logitHistogram: none
      ? null
      : {
          low: row.logit_low as number,
          high: row.logit_high as number,
          counts: row.logit_histogram as number[],
        },
  }
}

const weightsOf = (tokens: unknown, weights: unknown): LogitWeight[] =>
  (tokens as number[]).map((token, i) => ({ token, weight: (weights as number[])[i] }))

function tokenOf(row: StoredRow): TokenStatistics {
  return {
    token: row.token as number,
    active: row.active as number,
    occurrences: row.occurrences as number,
    activationSum: row.activation_sum as number,
    lift: row.lift as number,
  }
}

function exampleOf(row: StoredRow): FeatureExample {
  return {
    interval: row.interval === topGroup ? null : (row.interval as number),
    rank: row.rank as number,
    activation: row.activation as number,
    document: row.document as number,
    position: row.position as number,
    tokenIndex: row.token_index as number,
    tokens: row.tokens as number[],
    activations: row.activations as number[],
  }
}
