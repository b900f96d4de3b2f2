import type { ColumnValues } from './columns.js'

/** By mark, [F] sum of each feature's activation on the tokens that have the mark. */
export type MarkSums = Float64Array[]

export const createMarkSums = (features: number, marks: number): MarkSums =>
  Array.from({ length: marks }, () => new Float64Array(features))

/** Adds n tokens. @param marked by mark, [n] of 0 and 1 */
export function addMarked(sums: MarkSums, values: ColumnValues, marked: readonly Uint8Array[]): void {
  if (values.kind === 'neurons') return
  const { rowOffsets, featureIds, values: activations } = values.codes
  sums.forEach((sum, m) => {
    for (let row = 0; row + 1 < rowOffsets.length; row++)
      if (marked[m][row])
        for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++) sum[featureIds[e]] += activations[e]
  })
}

/** [F] share of each feature's activation, by mark. @param totals [F] its activation on all tokens */
export const markShares = (sums: MarkSums, totals: Float64Array): Float64Array[] =>
  sums.map((sum) => sum.map((on, feature) => (totals[feature] > 0 ? on / totals[feature] : 0)))
