import { MonosemError } from '../errors/monosem-error.js'
import { BYTE_CHARACTERS, splitWords } from './byte-level.js'
import { breathe, type CorpusDocument } from './document.js'
import { addPair, createPairMap, type PairMap } from './pair-map.js'
import { END_OF_TEXT, writeTokenizerJson } from './tokenizer-json.js'

/** A pair must occur at least this often in the sample to become a token. */
const MINIMUM_COUNT = 2

/** Ids 0 (`<|endoftext|>`) to 256 (byte 255) exist before any merge. */
const FIRST_MERGE = 257

/** What training needs besides the text. */
export interface BpeOptions {
  /** V: `<|endoftext|>`, 256 bytes and V - 257 merges */
  vocabularySize: number
  /** called now and then; may throw to stop */
  onProgress?: (mergesDone: number, mergesTotal: number) => void
}

/**
 * Trains a byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) and returns the text of its tokenizer.json. In every
 * step the most frequent pair becomes a token; among equals the pair with the smaller left, then right id. Same texts,
 * same result.
 * @throws MonosemError config (the texts do not hold enough different pairs for the vocabulary)
 */
export async function trainBpe(texts: Iterable<string>, options: BpeOptions): Promise<string> {
  const words = await countWords(texts)
  const state = createState(words)
  const wanted = options.vocabularySize - FIRST_MERGE
  const tokens = [END_OF_TEXT, ...BYTE_CHARACTERS]
  const known = new Set(tokens)
  const merges: Array<[string, string]> = []
  for (let last = Date.now(); merges.length < wanted; ) {
    const pair = popBest(state)
    if (pair < 0) throw tooLarge(options.vocabularySize, merges.length)
    const left = tokens[state.pairs.left[pair] as number] as string
    const right = tokens[state.pairs.right[pair] as number] as string
    if (known.has(left + right)) continue // two ways to the same token: the more frequent one is enough
    applyMerge(state, pair, tokens.length)
    known.add(left + right)
    merges.push([left, right])
    tokens.push(left + right)
    if (Date.now() - last > 100) {
      options.onProgress?.(merges.length, wanted)
      await breathe()
      last = Date.now()
    }
  }
  return writeTokenizerJson(tokens, merges)
}

function tooLarge(vocabularySize: number, possible: number): MonosemError {
  return new MonosemError(
    'config',
    `corpus/bpe: expected text for ${vocabularySize - FIRST_MERGE} merges (vocabularySize ${vocabularySize}), got text for ${possible}`,
    {
      hint:
        possible > 0
          ? `choose a vocabulary size of at most ${possible + FIRST_MERGE}, or give more text`
          : 'give more text',
    },
  )
}

/**
 * A seeded-by-caller choice of whole documents up to a number of bytes: those with the smallest `rank` stay. Feeding it a
 * stream costs at most twice `budgetBytes` of memory.
 */
export function createSampler(budgetBytes: number): {
  offer(document: CorpusDocument, rank: number): void
  texts(): string[]
} {
  let kept: Array<{ rank: number; text: string; bytes: number }> = []
  let total = 0
  const shrink = () => {
    kept.sort((a, b) => a.rank - b.rank)
    let sum = 0
    kept = kept.filter((entry, i) => {
      const fits = i === 0 || sum + entry.bytes <= budgetBytes
      if (fits) sum += entry.bytes
      return fits
    })
    total = sum
  }
  return {
    offer: ({ text }, rank) => {
      const bytes = Buffer.byteLength(text)
      kept.push({ rank, text, bytes })
      total += bytes
      if (total > 2 * budgetBytes) shrink()
    },
    texts: () => {
      shrink()
      return kept.map((entry) => entry.text)
    },
  }
}

/** How often each word occurs. */
async function countWords(texts: Iterable<string>): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  let sinceBreath = 0
  for (const text of texts) {
    for (const word of splitWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1)
    sinceBreath += text.length
    if (sinceBreath > 1e6) {
      await breathe()
      sinceBreath = 0
    }
  }
  return counts
}

/** The words as token sequences, with every pair's count and whereabouts. */
interface TrainerState {
  /** tokens of all words one after another; a word shrinks in place as merges apply */
  tokens: Int32Array
  /** word w lies in tokens from starts[w], lengths[w] long, and occurs counts[w] times */
  starts: Int32Array
  lengths: Int32Array
  counts: Float64Array
  pairs: PairMap
  /** by pair index: occurrences weighted by word counts, and the words that may hold the pair */
  pairCounts: number[]
  where: number[][]
  /** binary heap of pair indices, best first, ordered by the counts in heapCounts (which may be too high: see popBest) */
  heap: number[]
  heapCounts: number[]
}

function createState(words: Map<string, number>): TrainerState {
  const encoded: Buffer[] = []
  const counts: number[] = []
  let total = 0
  for (const [word, count] of words) {
    const bytes = Buffer.from(word, 'utf8')
    if (bytes.length < 2) continue
    encoded.push(bytes)
    counts.push(count)
    total += bytes.length
  }
  const state: TrainerState = {
    tokens: new Int32Array(total),
    starts: new Int32Array(encoded.length),
    lengths: Int32Array.from(encoded, (bytes) => bytes.length),
    counts: Float64Array.from(counts),
    pairs: createPairMap(1 << 16),
    pairCounts: [],
    where: [],
    heap: [],
    heapCounts: [],
  }
  let at = 0
  encoded.forEach((bytes, word) => {
    state.starts[word] = at
    for (const byte of bytes) state.tokens[at++] = byte + 1
    for (let i = at - bytes.length; i + 1 < at; i++)
      addCount(state, state.tokens[i] as number, state.tokens[i + 1] as number, counts[word] as number, word)
  })
  for (let pair = 0; pair < state.pairs.size; pair++) pushPair(state, pair)
  return state
}

/** Adds to a pair's count; `word` is remembered as a place to look for it. */
function addCount(state: TrainerState, left: number, right: number, count: number, word: number): void {
  const pair = addPair(state.pairs, left, right)
  if (pair === state.pairCounts.length) {
    state.pairCounts.push(0)
    state.where.push([])
  }
  state.pairCounts[pair] = (state.pairCounts[pair] as number) + count
  if (count <= 0) return
  const where = state.where[pair] as number[]
  if (where[where.length - 1] !== word) where.push(word)
}

/** Replaces the pair by `merged` in every word that holds it, left to right, and updates the counts of its neighbours. */
function applyMerge(state: TrainerState, pair: number, merged: number): void {
  const { tokens, starts, lengths, counts, pairs } = state
  const left = pairs.left[pair] as number
  const right = pairs.right[pair] as number
  const firstNew = pairs.size
  for (const word of state.where[pair] as number[]) {
    const start = starts[word] as number
    const length = lengths[word] as number
    const count = counts[word] as number
    let write = start
    for (let read = start; read < start + length; ) {
      const isPair = tokens[read] === left && read + 1 < start + length && tokens[read + 1] === right
      if (!isPair) {
        tokens[write++] = tokens[read++] as number
        continue
      }
      if (write > start) {
        addCount(state, tokens[write - 1] as number, left, -count, word)
        addCount(state, tokens[write - 1] as number, merged, count, word)
      }
      if (read + 2 < start + length) {
        addCount(state, right, tokens[read + 2] as number, -count, word)
        addCount(state, merged, tokens[read + 2] as number, count, word)
      }
      tokens[write++] = merged
      read += 2
    }
    lengths[word] = write - start
  }
  state.pairCounts[pair] = 0
  state.where[pair] = []
  // Only pairs with the new token gain occurrences, so the others' heap entries are at worst too high.
  for (let fresh = firstNew; fresh < pairs.size; fresh++) pushPair(state, fresh)
}

/** Index of the most frequent pair, or -1 when none occurs often enough. */
function popBest(state: TrainerState): number {
  while (state.heap.length > 0) {
    const pair = state.heap[0] as number
    const count = state.pairCounts[pair] as number
    const recorded = state.heapCounts[pair] as number
    state.heapCounts[pair] = count
    if (count === recorded) {
      removeTop(state)
      return pair
    }
    if (count < MINIMUM_COUNT) removeTop(state)
    else siftDown(state)
  }
  return -1
}

function pushPair(state: TrainerState, pair: number): void {
  const count = state.pairCounts[pair] as number
  state.heapCounts[pair] = count
  if (count < MINIMUM_COUNT) return
  const { heap } = state
  let i = heap.push(pair) - 1
  while (i > 0) {
    const parent = (i - 1) >> 1
    if (!isBefore(state, pair, heap[parent] as number)) break
    heap[i] = heap[parent] as number
    i = parent
  }
  heap[i] = pair
}

function removeTop(state: TrainerState): void {
  const last = state.heap.pop() as number
  if (state.heap.length === 0) return
  state.heap[0] = last
  siftDown(state)
}

/** Moves the top of the heap down to where it belongs. */
function siftDown(state: TrainerState): void {
  const { heap } = state
  const pair = heap[0] as number
  let i = 0
  for (;;) {
    let child = 2 * i + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(state, heap[child + 1] as number, heap[child] as number)) child++
    if (!isBefore(state, heap[child] as number, pair)) break
    heap[i] = heap[child] as number
    i = child
  }
  heap[i] = pair
}

function isBefore(state: TrainerState, a: number, b: number): boolean {
  const { heapCounts, pairs } = state
  const difference = (heapCounts[a] as number) - (heapCounts[b] as number)
  if (difference !== 0) return difference > 0
  const left = (pairs.left[a] as number) - (pairs.left[b] as number)
  return left !== 0 ? left < 0 : (pairs.right[a] as number) < (pairs.right[b] as number)
}
