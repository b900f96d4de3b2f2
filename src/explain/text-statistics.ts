import type { Tokenizer } from '../corpus/tokenizer.js'
import {
  addCodeRow,
  type CodeChunks,
  codesOf,
  createCodeChunks,
  emptyChunk,
  entriesPerChunk,
} from '../features/code-chunks.js'
import type { EncodedWindow } from '../features/feature-collector.js'
import { createPairTable, freePairTable, type PairBlock, readPairs } from '../features/pair-table.js'
import { countTokens, type TokenCounts } from '../features/token-counts.js'
import type { Kernels } from '../kernels/kernels.js'
import { type OwnUnits, ownCodes } from './own-units.js'
import { contextClasses, contextClassesOf } from './statistics/text-classes.js'

/**
 * On which tokens each of U units is active, and after which. Exact where units x vocabulary fit in the table, else the heaviest
 * tokens of each unit.
 */
export interface TextStatistics {
  /** units that are counted */
  own: OwnUnits
  chunks: CodeChunks
  /** [rows of a chunk] the token before each; `none` at the start of a document or window */
  previous: Int32Array
  /** [rows of a chunk] the kind of text that leads up to each, its own token included */
  contexts: Int32Array
  tokenBytes: (token: number) => Uint8Array
  /** stands for "no token before": <|endoftext|> */
  none: number
  /** by the token that the unit is active on */
  on: TokenCounts
  /** by the token before it */
  after: TokenCounts
  /** by the kind of text it is in: an index into `contextClasses` */
  within: TokenCounts
}

/** Pairs that the table of previous tokens holds: it only has to know the common ones. */
const previousPairs = 2 ** 22

export function createTextStatistics(
  kernels: Kernels,
  units: number,
  {
    vocabularySize,
    startOfText,
    tokenBytes,
  }: Pick<Tokenizer, 'vocabularySize' | 'startOfText' | 'tokenBytes'>,
  own: OwnUnits,
): TextStatistics {
  const chunks = createCodeChunks(entriesPerChunk(units))
  const counts = (columns: number, pairs?: number): TokenCounts => ({
    occurrences: new Uint32Array(columns),
    pairs: createPairTable(kernels, units, columns, 'sum', pairs),
  })
  return {
    own,
    chunks,
    previous: new Int32Array(chunks.chunk.tokens.length),
    contexts: new Int32Array(chunks.chunk.tokens.length),
    tokenBytes,
    none: startOfText,
    on: counts(vocabularySize),
    after: counts(vocabularySize, previousPairs),
    within: counts(contextClasses.length),
  }
}

/** Adds one window, with the codes of all units. @param tokens of the split */
export function addWindow(
  statistics: TextStatistics,
  { stretch }: EncodedWindow,
  tokens: Uint16Array | Uint32Array,
): void {
  const { chunks, previous, contexts, none } = statistics
  const { codes, firstToken, rowOf } = stretch
  const classes = windowClasses(statistics, tokens.subarray(firstToken, firstToken + rowOf.length))
  for (let i = 0; i < rowOf.length; i++) {
    if (rowOf[i] < 0) continue
    previous[chunks.chunk.rows] = i > 0 ? tokens[firstToken + i - 1] : none
    contexts[chunks.chunk.rows] = classes[i]
    if (addCodeRow(chunks, codes, rowOf[i], tokens[firstToken + i])) countChunk(statistics)
  }
}

/** The context class of each token of a window; what leads up to one is of the same document. */
function windowClasses({ none, tokenBytes }: TextStatistics, tokens: Uint16Array | Uint32Array): Uint8Array {
  const classes = new Uint8Array(tokens.length)
  for (let first = 0; first < tokens.length; ) {
    let end = first + 1
    while (end < tokens.length && tokens[end] !== none) end++
    const start = tokens[first] === none ? first + 1 : first
    classes.set(contextClassesOf(tokens.subarray(start, end), tokenBytes), start)
    first = end
  }
  return classes
}

function countChunk({ own, chunks, previous, contexts, on, after, within }: TextStatistics): void {
  const { chunk } = chunks
  const codes = ownCodes(own, codesOf(chunk))
  countTokens(on, chunk, codes)
  countTokens(after, { ...chunk, tokens: previous }, codes)
  countTokens(within, { ...chunk, tokens: contexts }, codes)
  emptyChunk(chunks)
}

/** The tables of a whole text, read back: the rows of every unit. */
export type UnitTables = Record<'on' | 'after' | 'within', { counts: TokenCounts; block: PairBlock }>

/** Counts what is left, reads the tables and gives their memory back. */
export async function finishStatistics(statistics: TextStatistics, units: number): Promise<UnitTables> {
  countChunk(statistics)
  const table = async (counts: TokenCounts) => {
    const block = await readPairs(counts.pairs, 0, units)
    freePairTable(counts.pairs)
    return { counts, block }
  }
  const { on, after, within } = statistics
  return { on: await table(on), after: await table(after), within: await table(within) }
}
