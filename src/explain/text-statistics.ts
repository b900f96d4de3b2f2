import {
  addCodeRow,
  byFeature,
  type CodeChunk,
  type CodeChunks,
  createCodeChunks,
  emptyChunk,
} from '../features/code-chunks.js'
import { countTokens, createTokenCounts, type TokenCounts } from '../features/token-counts.js'
import type { EncodedWindow } from './unit-collector.js'

/**
 * On which tokens each of U units is active, and after which. Exact where units x vocabulary fit in the table, else the heaviest
 * tokens of each unit.
 */
export interface TextStatistics {
  chunks: CodeChunks
  /** [rows of a chunk] the token before each; `none` at the start of a document or window */
  previous: Int32Array
  /** stands for "no token before": <|endoftext|> */
  none: number
  /** by the token that the unit is active on */
  on: TokenCounts
  /** by the token before it */
  after: TokenCounts
}

/** Pairs that the table of previous tokens holds: it only has to know the common ones. */
const previousPairs = 2 ** 22

export function createTextStatistics(units: number, vocabulary: number, endOfText: number): TextStatistics {
  const chunks = createCodeChunks()
  return {
    chunks,
    previous: new Int32Array(chunks.chunk.tokens.length),
    none: endOfText,
    on: createTokenCounts(units, vocabulary),
    after: createTokenCounts(units, vocabulary, previousPairs),
  }
}

/** Adds one window. @param tokens of the split. `finishStatistics` has to follow the last window. */
export function addWindow(
  statistics: TextStatistics,
  { stretch }: EncodedWindow,
  tokens: ArrayLike<number>,
): void {
  const { chunks, previous, none } = statistics
  const { codes, firstToken, rowOf } = stretch
  for (let i = 0; i < rowOf.length; i++) {
    if (rowOf[i] < 0) continue
    previous[chunks.chunk.rows] = i > 0 ? tokens[firstToken + i - 1] : none
    if (addCodeRow(chunks, codes, rowOf[i], tokens[firstToken + i])) finishStatistics(statistics)
  }
}

/** Counts what is left of the last chunk. */
export function finishStatistics({ chunks, previous, on, after }: TextStatistics): void {
  const { chunk } = chunks
  const fires = byFeature(chunk, on.pairs.rows)
  const behind: CodeChunk = { ...chunk, tokens: previous }
  countTokens(on, chunk, fires)
  countTokens(after, behind, fires)
  emptyChunk(chunks)
}
