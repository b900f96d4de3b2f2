import type { Codes } from '../kernels/kernels.js'
import type { ColumnValues } from './columns.js'
import type { ColumnBatch } from './read-columns.js'

/** What all columns hold on a stretch of text. Sums over pairs are made chunk by chunk: the kernels add up a chunk in double precision. */
export interface ColumnChunk {
  /** [n] each: the token, and where it is among the tokens of the split */
  tokens: Int32Array
  positions: Int32Array
  /** by column set */
  values: ColumnValues[]
}

/** Active features that a chunk may hold of all dictionaries together, 64 MiB of them. */
const maximumEntries = 2 ** 23

/** Joins batches to chunks of at least `chunkTokens` tokens, but for the last; a chunk ends early where the codes would take too much memory. */
export async function* columnChunks(
  batches: AsyncIterable<ColumnBatch>,
  chunkTokens: number,
): AsyncGenerator<ColumnChunk> {
  let held: ColumnBatch[] = []
  let tokens = 0
  let entries = 0
  for await (const batch of batches) {
    held.push(batch)
    tokens += batch.tokens.length
    for (const values of batch.values)
      if (values.kind === 'features') entries += values.codes.featureIds.length
    if (tokens < chunkTokens && entries < maximumEntries) continue
    yield joined(held)
    held = []
    tokens = 0
    entries = 0
  }
  if (tokens > 0) yield joined(held)
}

function joined(batches: readonly ColumnBatch[]): ColumnChunk {
  return {
    tokens: joinArrays(
      batches.map(({ tokens }) => tokens),
      Int32Array,
    ),
    positions: joinArrays(
      batches.map(({ positions }) => positions),
      Int32Array,
    ),
    values: batches[0].values.map((_, i) => joinValues(batches.map(({ values }) => values[i]))),
  }
}

function joinValues(parts: readonly ColumnValues[]): ColumnValues {
  if (parts[0].kind === 'neurons')
    return {
      kind: 'neurons',
      x: joinArrays(
        parts.map((part) => (part as ColumnValues & { kind: 'neurons' }).x),
        Float32Array,
      ),
    }
  const codes = parts.map((part) => (part as ColumnValues & { kind: 'features' }).codes)
  return { kind: 'features', codes: joinCodes(codes) }
}

function joinCodes(parts: readonly Codes[]): Codes {
  const rows = parts.reduce((sum, { rowOffsets }) => sum + rowOffsets.length - 1, 0)
  const rowOffsets = new Int32Array(rows + 1)
  let row = 0
  let entries = 0
  for (const part of parts) {
    for (let i = 1; i < part.rowOffsets.length; i++) rowOffsets[++row] = entries + part.rowOffsets[i]
    entries += part.featureIds.length
  }
  return {
    rowOffsets,
    featureIds: joinArrays(
      parts.map(({ featureIds }) => featureIds),
      Int32Array,
    ),
    values: joinArrays(
      parts.map(({ values }) => values),
      Float32Array,
    ),
  }
}

function joinArrays<T extends Int32Array | Float32Array>(
  parts: readonly T[],
  create: new (length: number) => T,
): T {
  const all = new create(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/**
 * The same values on other tokens: row n holds what row n - floor(rows / 2) held, and the first half what the second held. Every column keeps its
 * mean, its variance and how long it stays active, but what it had to do with columns that were not moved is gone.
 */
export function rotated(values: ColumnValues, rows: number): ColumnValues {
  const cut = rows - Math.floor(rows / 2)
  if (values.kind === 'neurons') {
    const at = cut * (values.x.length / rows)
    return {
      kind: 'neurons',
      x: joinArrays([values.x.subarray(at), values.x.subarray(0, at)], Float32Array),
    }
  }
  const { codes } = values
  return { kind: 'features', codes: joinCodes([codesOfRows(codes, cut, rows), codesOfRows(codes, 0, cut)]) }
}

function codesOfRows({ rowOffsets, featureIds, values }: Codes, first: number, end: number): Codes {
  const [from, to] = [rowOffsets[first], rowOffsets[end]]
  return {
    rowOffsets: rowOffsets.subarray(first, end + 1).map((offset) => offset - from),
    featureIds: featureIds.subarray(from, to),
    values: values.subarray(from, to),
  }
}
