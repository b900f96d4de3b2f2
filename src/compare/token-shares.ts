import { createPairTable, freePairTable, pairsOf, readPairs } from '../features/pair-table.js'
import type { Kernels } from '../kernels/kernels.js'
import type { ColumnValues } from './columns.js'

/** The tokens of the vocabulary on which features are most active. */
export interface TopTokens {
  /** tokens kept for each feature */
  k: number
  /** [F, k] largest share first; -1 where the feature fired on fewer */
  tokens: Int32Array
  /** [F, k] share of the feature's activation, summed over all text, that is on this token */
  shares: Float64Array
}

/** Sums of activation by (feature, token). */
export interface TokenShares {
  /** @param tokens [n] */
  add(values: ColumnValues, tokens: Int32Array): void
  /** @param sums [F] activation of each feature over all text */
  read(k: number, sums: Float64Array): Promise<TopTokens>
  free(): void
}

/** Rows that are read back from the kernels at once. */
const blockRows = 256

export function createTokenShares(
  kernels: Kernels,
  features: number,
  vocabulary: number,
  maximumPairs?: number,
): TokenShares {
  const table = createPairTable(kernels, features, vocabulary, 'sum', maximumPairs)
  return {
    add: (values, tokens) => {
      if (values.kind === 'neurons') return
      const n = tokens.length
      const asCodes = {
        rowOffsets: Int32Array.from({ length: n + 1 }, (_, row) => row),
        featureIds: tokens,
        values: new Float32Array(n).fill(1),
      }
      kernels.saeAddPairs(table.pairs, values.codes, asCodes)
    },
    read: async (k, sums) => {
      const top: TopTokens = {
        k,
        tokens: new Int32Array(features * k).fill(-1),
        shares: new Float64Array(features * k),
      }
      for (let first = 0; first < features; first += blockRows) {
        const end = Math.min(features, first + blockRows)
        const block = await readPairs(table, first, end - first)
        for (let feature = first; feature < end; feature++)
          pairsOf(block, feature)
            .sort((a, b) => b.sum - a.sum || a.column - b.column)
            .slice(0, k)
            .forEach(({ column, sum }, i) => {
              top.tokens[feature * k + i] = column
              top.shares[feature * k + i] = sum / sums[feature]
            })
      }
      return top
    },
    free: () => freePairTable(table),
  }
}
