import { pearson } from './correlation.js'

/** How a feature that is above some level relates to a predicate. Null stands for a share of nothing. */
export interface SpecificityLevel {
  /**
   * the level as a fraction of the feature's maximum: tokens with activation > fraction * max are above it
   */
  fraction: number
  /** tokens above the level */
  tokens: number
  /** share of them that the predicate holds on */
  precision: number | null
  /** share of the predicate's tokens that are above the level */
  recall: number | null
  /**
   * log P(above | predicate) / P(above | not predicate), nats: how strongly being above the level speaks for
   * the predicate. Half a token is added to each count, so that it stays finite.
   */
  logLikelihoodRatio: number | null
}

export interface Specificity {
  /** Pearson correlation of activation and predicate; null when either does not vary */
  correlation: number | null
  /** largest activation */
  max: number
  levels: SpecificityLevel[]
}

/** Levels that are reported, as fractions of the maximum. */
const levelFractions = [0, 0.1, 0.25, 0.5, 0.75] as const

/**
 * How well a feature tracks a predicate over n tokens.
 * @param values [n] activations
 * @param labels [n] 1 where the predicate holds
 */
export function specificity(values: Float32Array, labels: Uint8Array): Specificity {
  let max = 0
  for (const value of values) if (value > max) max = value
  return {
    correlation: pearson(values, labels),
    max,
    levels: levelFractions.map((fraction) => levelOf(values, labels, fraction, max)),
  }
}

function levelOf(values: Float32Array, labels: Uint8Array, fraction: number, max: number): SpecificityLevel {
  const threshold = fraction * max
  let tokens = 0
  let hits = 0
  let positives = 0
  for (let i = 0; i < values.length; i++) {
    positives += labels[i]
    if (!(values[i] > threshold)) continue
    tokens++
    hits += labels[i]
  }
  return { fraction, ...levelFigures({ tokens, hits, positives, negatives: values.length - positives }) }
}

/** What the figures of a set of tokens (those above a level, or in an interval of activation) follow from. */
export interface LevelCounts {
  /** tokens in the set, and how many of them the predicate holds on */
  tokens: number
  hits: number
  /** tokens of the whole sample that the predicate holds on, and does not */
  positives: number
  negatives: number
}

/** Precision, recall and log-likelihood ratio of one set of tokens. */
export function levelFigures(counts: LevelCounts): Omit<SpecificityLevel, 'fraction'> {
  const { tokens, hits, positives, negatives } = counts
  const both = positives > 0 && negatives > 0
  return {
    tokens,
    precision: tokens > 0 ? hits / tokens : null,
    recall: positives > 0 ? hits / positives : null,
    logLikelihoodRatio: both
      ? Math.log((hits + 0.5) / (positives + 1)) - Math.log((tokens - hits + 0.5) / (negatives + 1))
      : null,
  }
}
