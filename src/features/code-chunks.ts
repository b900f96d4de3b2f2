import type { Codes } from '../kernels/kernels.js'

/** Codes of consecutive text positions, with the token of each; the arrays have room for more. */
export interface CodeChunk {
  rows: number
  /** [rows + 1] */
  rowOffsets: Int32Array
  /** [rows] */
  tokens: Int32Array
  /** [rowOffsets[rows]] */
  featureIds: Int32Array
  values: Float32Array
}

/**
 * Cuts a stream of codes into chunks that do not depend on the batches in which it comes: a chunk ends with the row that brings it to
 * `entriesPerChunk` active features or 256 Ki rows. So sums made chunk by chunk have the same bits whatever the batch size.
 */
export interface CodeChunks {
  entriesPerChunk: number
  chunk: CodeChunk
}

const rowsPerChunk = 2 ** 18

/** Entries of a chunk: the more features, the more text it takes until each has something to add. 2^21 take 16 MiB. */
export const entriesPerChunk = (features: number): number => Math.max(2 ** 21, 32 * features)

export function createCodeChunks(entriesPerChunk: number): CodeChunks {
  return {
    entriesPerChunk,
    chunk: {
      rows: 0,
      rowOffsets: new Int32Array(rowsPerChunk + 1),
      tokens: new Int32Array(rowsPerChunk),
      featureIds: new Int32Array(0),
      values: new Float32Array(0),
    },
  }
}

/**
 * Adds one row of codes.
 * @returns true when the chunk is full: the caller uses it and calls `emptyChunk`
 */
export function addCodeRow(chunks: CodeChunks, codes: Codes, row: number, token: number): boolean {
  const { chunk } = chunks
  const first = codes.rowOffsets[row]
  const end = codes.rowOffsets[row + 1]
  const at = chunk.rowOffsets[chunk.rows]
  const next = at + end - first
  if (next > chunk.featureIds.length) {
    const room = Math.max(next, Math.min(2 * chunk.featureIds.length, chunks.entriesPerChunk))
    chunk.featureIds = grown(chunk.featureIds, new Int32Array(room), at)
    chunk.values = grown(chunk.values, new Float32Array(room), at)
  }
  for (let e = first, i = at; e < end; e++, i++) {
    chunk.featureIds[i] = codes.featureIds[e]
    chunk.values[i] = codes.values[e]
  }
  chunk.tokens[chunk.rows++] = token
  chunk.rowOffsets[chunk.rows] = next
  return next >= chunks.entriesPerChunk || chunk.rows === rowsPerChunk
}

export function emptyChunk({ chunk }: CodeChunks): void {
  chunk.rows = 0
}

function grown<T extends Int32Array | Float32Array>(from: T, to: T, used: number): T {
  to.set(from.subarray(0, used))
  return to
}

/** The chunk as codes of `rows` tokens; views, not copies. */
export function codesOf({ rows, rowOffsets, featureIds, values }: CodeChunk): Codes {
  const entries = rowOffsets[rows]
  return {
    rowOffsets: rowOffsets.subarray(0, rows + 1),
    featureIds: featureIds.subarray(0, entries),
    values: values.subarray(0, entries),
  }
}

/** The chunk's tokens in the same form: in each row one column, the token, with value 1. */
export function tokensAsCodes({ rows, tokens }: CodeChunk): Codes {
  return {
    rowOffsets: Int32Array.from({ length: rows + 1 }, (_, row) => row),
    featureIds: tokens.subarray(0, rows),
    values: new Float32Array(rows).fill(1),
  }
}
