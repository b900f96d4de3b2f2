import type { Codes } from '../../src/kernels/kernels.js'

/** Codes from [id, activation] pairs per row. */
export function codesFrom(rows: readonly (readonly [number, number][])[]): Codes {
  const offsets = [0]
  for (const row of rows) offsets.push((offsets.at(-1) as number) + row.length)
  return {
    rowOffsets: Int32Array.from(offsets),
    featureIds: Int32Array.from(rows.flat(), ([id]) => id),
    values: Float32Array.from(rows.flat(), ([, value]) => value),
  }
}
