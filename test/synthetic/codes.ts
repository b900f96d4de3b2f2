import type { Codes } from '../../src/kernels/kernels.js'

/** Codes with the given features active on each sample, all with the value 1 unless `values` says otherwise. */
export function codesOf(rows: number[][], values: number[] = []): Codes {
  const featureIds = Int32Array.from(rows.flat())
  const rowOffsets = Int32Array.from([0, ...rows.map(({ length }) => length)])
  for (let n = 1; n < rowOffsets.length; n++) rowOffsets[n] += rowOffsets[n - 1]
  return { rowOffsets, featureIds, values: Float32Array.from(featureIds, (_, i) => values[i] ?? 1) }
}
