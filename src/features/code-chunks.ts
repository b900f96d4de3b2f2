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
 * `entriesPerChunk` active features or 64 Ki rows. So sums made chunk by chunk have the same bits whatever the batch size.
 */
export interface CodeChunks {
  entriesPerChunk: number
  chunk: CodeChunk
}

const rowsPerChunk = 2 ** 16

/** @param entriesPerChunk default 2^21, 16 MiB */
export function createCodeChunks(entriesPerChunk = 2 ** 21): CodeChunks {
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

/** The same codes feature by feature. */
export interface FiresByFeature {
  /** [F + 1] */
  offsets: Int32Array
  /** rows on which a feature fired, ascending, and its activations there */
  rows: Int32Array
  values: Float32Array
}

export function byFeature(chunk: CodeChunk, features: number): FiresByFeature {
  const entries = chunk.rowOffsets[chunk.rows]
  const offsets = new Int32Array(features + 1)
  for (let e = 0; e < entries; e++) offsets[chunk.featureIds[e] + 1]++
  for (let f = 0; f < features; f++) offsets[f + 1] += offsets[f]
  const next = offsets.slice(0, features)
  const rows = new Int32Array(entries)
  const values = new Float32Array(entries)
  for (let row = 0; row < chunk.rows; row++)
    for (let e = chunk.rowOffsets[row]; e < chunk.rowOffsets[row + 1]; e++) {
      const at = next[chunk.featureIds[e]]++
      rows[at] = row
      values[at] = chunk.values[e]
    }
  return { offsets, rows, values }
}
