import type { TokenSplit } from '../corpus/corpus.js'

/**
 * Two splits that share no document: the documents at even places of a split, and those at odd places. What is chosen on one can be measured on the
 * other.
 */
export function documentHalves(split: TokenSplit): [TokenSplit, TokenSplit] {
  return [halfOf(split, 0), halfOf(split, 1)]
}

function halfOf(split: TokenSplit, parity: 0 | 1): TokenSplit {
  const { tokens, documentStarts, documentIds } = split
  const places = Array.from(documentStarts.keys()).filter((place) => place % 2 === parity)
  const endOf = (place: number): number => documentStarts[place + 1] ?? tokens.length
  const lengths = places.map((place) => endOf(place) - documentStarts[place])
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const kept = tokens instanceof Uint16Array ? new Uint16Array(total) : new Uint32Array(total)
  const starts = new Int32Array(places.length)
  let at = 0
  places.forEach((place, i) => {
    starts[i] = at
    kept.set(tokens.subarray(documentStarts[place], endOf(place)), at)
    at += lengths[i]
  })
  return {
    name: split.name,
    tokens: kept,
    documentStarts: starts,
    documentIds: Int32Array.from(places, (place) => documentIds[place]),
    // Bytes are known of the whole split only.
    bytes: Math.round((split.bytes * total) / Math.max(1, tokens.length)),
  }
}
