import type { Codes } from '../kernels/kernels.js'
import type { CoActiveFeature } from './feature-detail.js'
import { type PairBlock, type PairSums, type PairTable, pairsOf } from './pair-table.js'

/**
 * Adds a chunk of text to the table of pairs of features that fire together: the tokens on which both do, and the sum of f_i f_j over
 * them. The table is exact where F^2 pairs have room in it, else it knows for each feature the others that fire with it most often.
 * @param codes of the table's features, and `all` features
 */
export function countCoActivation({ kernels, pairs }: PairTable, codes: Codes, all: Codes): void {
  kernels.saeAddPairs(pairs, codes, all)
}

/** What is summed over all tokens for each feature. */
export interface FeatureSums {
  /** text positions */
  tokens: number
  /** [F] tokens on which it fired, sum of its activations, sum of their squares */
  fires: Float64Array
  sum: Float64Array
  squares: Float64Array
}

/** The features that fire together with one, largest Jaccard index first; among equals the lower id. */
export function coActiveWith(
  block: PairBlock,
  totals: FeatureSums,
  feature: number,
  limit: number,
): CoActiveFeature[] {
  return pairsOf(block, feature)
    .filter(({ column }) => column !== feature)
    .map((pair) => coActiveFeature(pair, totals, feature))
    .sort((a, b) => b.jaccard - a.jaccard || a.feature - b.feature)
    .slice(0, limit)
}

function coActiveFeature(
  { column, count, sum }: PairSums,
  { tokens, fires, sum: sums, squares }: FeatureSums,
  feature: number,
): CoActiveFeature {
  const variance = (j: number): number => tokens * squares[j] - sums[j] ** 2
  const spread = Math.sqrt(variance(feature) * variance(column))
  return {
    feature: column,
    count,
    jaccard: count / (fires[feature] + fires[column] - count),
    pearson: spread > 0 ? (tokens * sum - sums[feature] * sums[column]) / spread : 0,
    cosine: sum / Math.sqrt(squares[feature] * squares[column]),
  }
}
