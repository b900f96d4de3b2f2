import { addPair, createPairMap, findPair, type PairMap } from './pair-map.js'

/** Applies the merges of a byte-pair encoding to the bytes of one word and returns its tokens. */
export type Merger = (bytes: Uint8Array) => Int32Array

/** The same for the tokens that merging starts from, which it overwrites. */
export type TokenMerger = (tokens: Int32Array) => Int32Array

/** Up to this length the next merge is found by looking at every pair; above, with a heap. */
const SHORT_WORD = 96

/**
 * Makes the merge procedure: always the pair of the lowest rank first, the leftmost among equals.
 * @param merges [left token, right token, merged token] in order of rank
 */
export function createTokenMerger(merges: ReadonlyArray<readonly [number, number, number]>): TokenMerger {
  const ranks = createPairMap(merges.length)
  const merged = new Int32Array(merges.length)
  for (const [left, right, result] of merges) merged[addPair(ranks, left, right)] = result
  return (tokens) => {
    if (tokens.length < 2) return tokens
    return tokens.length <= SHORT_WORD ? mergeShort(tokens, ranks, merged) : mergeLong(tokens, ranks, merged)
  }
}

/**
 * The merge procedure from bytes on.
 * @param byteIds token of each byte, [256]
 */
export function createMerger(
  byteIds: Int32Array,
  merges: ReadonlyArray<readonly [number, number, number]>,
): Merger {
  const merge = createTokenMerger(merges)
  return (bytes) => merge(Int32Array.from(bytes, (byte) => byteIds[byte]))
}

const NONE = 0x7fffffff

const rankOf = (ranks: PairMap, left: number, right: number): number => {
  const rank = findPair(ranks, left, right)
  return rank < 0 ? NONE : rank
}

/** tokens [n] are overwritten; pairRanks[i] is the rank of (i, i + 1). */
function mergeShort(tokens: Int32Array, ranks: PairMap, merged: Int32Array): Int32Array {
  let n = tokens.length
  const pairRanks = new Int32Array(n)
  for (let i = 0; i + 1 < n; i++) pairRanks[i] = rankOf(ranks, tokens[i] as number, tokens[i + 1] as number)
  for (;;) {
    let best = NONE
    let at = -1
    for (let i = 0; i + 1 < n; i++)
      if ((pairRanks[i] as number) < best) {
        best = pairRanks[i] as number
        at = i
      }
    if (at < 0) return tokens.slice(0, n)
    tokens[at] = merged[best] as number
    tokens.copyWithin(at + 1, at + 2, n)
    pairRanks.copyWithin(at + 1, at + 2, n)
    n--
    if (at > 0) pairRanks[at - 1] = rankOf(ranks, tokens[at - 1] as number, tokens[at] as number)
    if (at + 1 < n) pairRanks[at] = rankOf(ranks, tokens[at] as number, tokens[at + 1] as number)
  }
}

/** Larger than any word, so that rank * POSITIONS + position orders by rank, then from left to right. */
const POSITIONS = 2 ** 30

/** The same with a linked list and a heap, O(n log n): a megabyte without a space must not take an hour. */
function mergeLong(tokens: Int32Array, ranks: PairMap, merged: Int32Array): Int32Array {
  const n = tokens.length
  const next = Int32Array.from(tokens, (_, i) => (i + 1 < n ? i + 1 : -1))
  const previous = Int32Array.from(tokens, (_, i) => i - 1)
  const pairRanks = new Int32Array(n).fill(NONE)
  const heap: number[] = []
  const offer = (i: number) => {
    const after = next[i] as number
    const rank = after < 0 ? NONE : rankOf(ranks, tokens[i] as number, tokens[after] as number)
    pairRanks[i] = rank
    if (rank !== NONE) pushHeap(heap, rank * POSITIONS + i)
  }
  for (let i = 0; i + 1 < n; i++) offer(i)
  while (heap.length > 0) {
    const key = popHeap(heap)
    const i = key % POSITIONS
    const rank = (key - i) / POSITIONS
    if (pairRanks[i] !== rank) continue // an earlier merge changed this pair
    const gone = next[i] as number
    tokens[i] = merged[rank] as number
    next[i] = next[gone] as number
    if ((next[i] as number) >= 0) previous[next[i] as number] = i
    pairRanks[gone] = NONE
    offer(i)
    if ((previous[i] as number) >= 0) offer(previous[i] as number)
  }
  const out: number[] = []
  for (let i = 0; i >= 0; i = next[i] as number) out.push(tokens[i] as number)
  return Int32Array.from(out)
}

/** Adds a number to a binary heap whose first element is the smallest. */
function pushHeap(heap: number[], value: number): void {
  let i = heap.push(value) - 1
  while (i > 0) {
    const parent = (i - 1) >> 1
    if ((heap[parent] as number) <= value) break
    heap[i] = heap[parent] as number
    i = parent
  }
  heap[i] = value
}

/** Removes and returns the smallest number. */
function popHeap(heap: number[]): number {
  const top = heap[0] as number
  const last = heap.pop() as number
  const n = heap.length
  if (n === 0) return top
  let i = 0
  for (;;) {
    let child = 2 * i + 1
    if (child >= n) break
    if (child + 1 < n && (heap[child + 1] as number) < (heap[child] as number)) child++
    if ((heap[child] as number) >= last) break
    heap[i] = heap[child] as number
    i = child
  }
  heap[i] = last
  return top
}
