import type { Codes } from '../kernels/kernels.js'
import { type CodeChunk, codesOf, tokensAsCodes } from './code-chunks.js'
import type { TokenStatistics } from './feature-detail.js'
import { missedBy, type PairBlock, type PairTable, pairsOf } from './pair-table.js'

/** On which tokens of the vocabulary each feature fires. */
export interface TokenCounts {
  /** [V] text positions with each token */
  occurrences: Uint32Array
  /** (feature, token): fires and the sum of activations */
  pairs: PairTable
}

/** Adds a chunk of text. @param codes of the table's features; default: those of the chunk */
export function countTokens(
  { occurrences, pairs }: TokenCounts,
  chunk: CodeChunk,
  codes: Codes = codesOf(chunk),
): void {
  for (let row = 0; row < chunk.rows; row++) occurrences[chunk.tokens[row]]++
  pairs.kernels.saeAddPairs(pairs.pairs, codes, tokensAsCodes(chunk))
}

/** A feature is single-token when at least this share of its fires is on one token of the vocabulary. */
const singleTokenShare = 0.99

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
 * @param block of `TokenCounts.pairs`
 * @param fires tokens on which it fired, of `positions` text positions
 * @param limit how many at most
 */
export function featureTokens(
  { occurrences }: TokenCounts,
  block: PairBlock,
  feature: number,
  { fires, positions, limit }: { fires: number; positions: number; limit: number },
): FeatureTokens {
  const pairs = pairsOf(block, feature).sort((a, b) => b.sum - a.sum || a.column - b.column)
  const most = pairs.reduce((largest, { count }) => Math.max(largest, count), 0)
  const tokens = pairs.slice(0, limit).map(({ column, count, sum }) => ({
    token: column,
    active: count,
    occurrences: occurrences[column],
    activationSum: sum,
    lift: count / occurrences[column] / (fires / positions),
  }))
  return {
    tokens,
    missed: missedBy(block, feature),
    singleToken: fires > 0 && most >= singleTokenShare * fires,
  }
}
