import type { CodeChunk, FiresByFeature } from './code-chunks.js'
import type { TokenStatistics } from './feature-detail.js'
import { addRow, addToRow, createPairTable, createRowSums, type PairTable, pairsOf } from './pair-table.js'

/** On which tokens of the vocabulary each feature fires. */
export interface TokenCounts {
  /** [V] text positions with each token */
  occurrences: Uint32Array
  /** (feature, token): fires and the sum of activations */
  pairs: PairTable
}

/** @param maximum pairs that may be held, see `createPairTable` */
export function createTokenCounts(features: number, vocabulary: number, maximum?: number): TokenCounts {
  return {
    occurrences: new Uint32Array(vocabulary),
    pairs: createPairTable(features, vocabulary, 'sum', maximum),
  }
}

/** Adds a chunk of text. */
export function countTokens(counts: TokenCounts, chunk: CodeChunk, fires: FiresByFeature): void {
  for (let row = 0; row < chunk.rows; row++) counts.occurrences[chunk.tokens[row]]++
  const sums = createRowSums(counts.pairs.columns)
  for (let feature = 0; feature < counts.pairs.rows; feature++) {
    for (let e = fires.offsets[feature]; e < fires.offsets[feature + 1]; e++)
      addToRow(sums, chunk.tokens[fires.rows[e]], fires.values[e])
    if (sums.size > 0) addRow(counts.pairs, feature, sums)
  }
}

/** A feature is single-token when at least this share of its fires is on one token of the vocabulary. */
export const singleTokenShare = 0.99

/** What the table of one feature shows. */
export interface FeatureTokens {
  /** largest sum of activations first; among equals the lower token */
  tokens: TokenStatistics[]
  /** the most activation that may be missing from any sum: 0 where all tokens were counted */
  missed: number
  singleToken: boolean
}

/**
 * The tokens on which a feature is most active.
 * @param fires tokens on which it fired, of `positions` text positions
 * @param limit how many at most
 */
export function featureTokens(
  counts: TokenCounts,
  feature: number,
  { fires, positions, limit }: { fires: number; positions: number; limit: number },
): FeatureTokens {
  const pairs = pairsOf(counts.pairs, feature).sort((a, b) => b.sum - a.sum || a.column - b.column)
  const most = pairs.reduce((largest, { count }) => Math.max(largest, count), 0)
  const tokens = pairs.slice(0, limit).map(({ column, count, sum }) => ({
    token: column,
    active: count,
    occurrences: counts.occurrences[column],
    activationSum: sum,
    lift: count / counts.occurrences[column] / (fires / positions),
  }))
  return {
    tokens,
    missed: counts.pairs.missed[feature],
    singleToken: fires > 0 && most >= singleTokenShare * fires,
  }
}
