import { MonosemError } from '../errors/monosem-error.js'
import type { TokenSplit } from './corpus.js'

/** B windows of T tokens, flattened [B*T]. */
export interface WindowBatch {
  tokens: Int32Array
  /** the token that follows each position; -1 where that is `<|endoftext|>`, the start of another document */
  targets: Int32Array
  /** first position of the window that a position may attend to: its document's start, or 0 */
  starts: Int32Array
}

/** Consecutive, non-overlapping windows of `contextSize` tokens in a split; the last token is only ever a target. */
export function windowCount(split: TokenSplit, contextSize: number): number {
  return Math.max(0, Math.floor((split.tokens.length - 1) / contextSize))
}

/**
 * Copies windows out of the token stream.
 * @param windowIndices B indices below windowCount
 * @param out arrays of length B*T to write into instead of new ones
 * @throws MonosemError shape (an index out of range, or arrays of another length)
 */
export function fillWindows(
  split: TokenSplit,
  contextSize: number,
  windowIndices: ArrayLike<number>,
  out?: WindowBatch,
): WindowBatch {
  const length = windowIndices.length * contextSize
  const batch = out ?? {
    tokens: new Int32Array(length),
    targets: new Int32Array(length),
    starts: new Int32Array(length),
  }
  if (batch.tokens.length !== length || batch.targets.length !== length || batch.starts.length !== length)
    throw new MonosemError(
      'shape',
      `corpus/windows: expected arrays of ${length}, got ${batch.tokens.length}`,
    )
  const windows = windowCount(split, contextSize)
  for (let b = 0; b < windowIndices.length; b++) {
    const window = windowIndices[b] as number
    if (!(window >= 0 && window < windows))
      throw new MonosemError('shape', `corpus/windows: expected a window below ${windows}, got ${window}`)
    fillWindow(split, contextSize, window * contextSize, b * contextSize, batch)
  }
  return batch
}

function fillWindow(
  split: TokenSplit,
  contextSize: number,
  from: number,
  to: number,
  batch: WindowBatch,
): void {
  const { tokens, documentStarts } = split
  // The first document that starts inside the window.
  let document = documentAt(split, from)
  if (documentStarts[document] !== from) document++
  let start = 0
  for (let t = 0; t < contextSize; t++) {
    if (documentStarts[document] === from + t) {
      start = t
      document++
    }
    batch.tokens[to + t] = tokens[from + t] as number
    batch.starts[to + t] = start
    batch.targets[to + t] = documentStarts[document] === from + t + 1 ? -1 : (tokens[from + t + 1] as number)
  }
}

/**
 * The document of each position of some windows, as an index into `documentStarts`. [B*T]
 * @param windowIndices B indices below windowCount
 */
export function windowDocuments(
  split: TokenSplit,
  contextSize: number,
  windowIndices: ArrayLike<number>,
): Int32Array {
  const { documentStarts } = split
  const documents = new Int32Array(windowIndices.length * contextSize)
  for (let b = 0; b < windowIndices.length; b++) {
    const from = (windowIndices[b] as number) * contextSize
    let document = documentAt(split, from)
    for (let t = 0; t < contextSize; t++) {
      // a document may hold nothing but its start
      while (documentStarts[document + 1] <= from + t) document++
      documents[b * contextSize + t] = document
    }
  }
  return documents
}

/**
 * The document that a token of a split belongs to.
 * @returns its id (DocumentRecord.document) and the token's offset in it (0 is its `<|endoftext|>`)
 * @throws MonosemError shape (not an index into the split)
 */
export function locate(split: TokenSplit, tokenIndex: number): { document: number; offset: number } {
  if (!(tokenIndex >= 0 && tokenIndex < split.tokens.length))
    throw new MonosemError(
      'shape',
      `corpus/locate: expected a token index below ${split.tokens.length}, got ${tokenIndex}`,
    )
  const index = documentAt(split, tokenIndex)
  return {
    document: split.documentIds[index] as number,
    offset: tokenIndex - (split.documentStarts[index] as number),
  }
}

/** Index into documentStarts of the last document that starts at or before a token. */
function documentAt(split: TokenSplit, tokenIndex: number): number {
  const starts = split.documentStarts
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((starts[middle] as number) <= tokenIndex) low = middle
    else high = middle
  }
  return low
}
