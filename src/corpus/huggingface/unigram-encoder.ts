import { byteTokens, type PieceEncoder } from './bpe-encoder.js'
import type { UnigramModel } from './tokenizer-document.js'

/** Added to the lowest score of the vocabulary: what an unknown character costs. */
const UNKNOWN_PENALTY = -10

/**
 * Makes the most probable segmentation under a unigram language model (Kudo 2018, by Viterbi's algorithm), as the model `Unigram` of
 * Hugging Face's `tokenizers` does it. Time grows with the text's length times that of the longest token.
 * @param forbidden tokens that a piece of text may not become: the special ones
 * @throws Error (`unk_id` is no token)
 */
export function createUnigramEncoder(model: UnigramModel, forbidden: ReadonlySet<number>): PieceEncoder {
  const unknown = model.unk_id ?? null
  if (unknown !== null && unknown >= model.vocab.length)
    throw new Error(`unk_id ${unknown} is not in the vocabulary`)
  const ids = new Map(model.vocab.map(([token], id) => [token, id]))
  const bytes = model.byte_fallback ? byteTokens(ids) : null
  const segments = createViterbi(model, ids, forbidden)
  const utf8 = new TextEncoder()
  return (piece, out) => {
    let unknownText = ''
    const flush = () => {
      if (unknownText === '') return
      const fallback = bytes ? Array.from(utf8.encode(unknownText), (byte) => bytes[byte]) : null
      if (fallback && !fallback.includes(undefined)) out.push(...(fallback as number[]))
      else if (unknown !== null) out.push(unknown)
      unknownText = ''
    }
    for (const { text, id } of segments(piece)) {
      if (id === null) unknownText += text
      else {
        flush()
        out.push(id)
      }
    }
    flush()
  }
}

interface Segment {
  text: string
  /** null for a character that no token covers */
  id: number | null
}

function createViterbi(
  model: UnigramModel,
  ids: ReadonlyMap<string, number>,
  forbidden: ReadonlySet<number>,
) {
  const usable = [...ids].filter(([, id]) => !forbidden.has(id) && id !== model.unk_id)
  const known = new Map(usable)
  const longest = usable.reduce((length, [token]) => Math.max(length, token.length), 1)
  const lowest = model.vocab.reduce((least, [, score]) => Math.min(least, score), 0)
  return (piece: string): Segment[] => {
    const n = piece.length
    const best = new Float64Array(n + 1).fill(-Infinity)
    const from = new Int32Array(n + 1)
    const token = new Int32Array(n + 1).fill(-1)
    best[0] = 0
    const offer = (start: number, end: number, score: number, id: number) => {
      if (best[start] + score <= best[end]) return
      best[end] = best[start] + score
      from[end] = start
      token[end] = id
    }
    for (let start = 0; start < n; ) {
      const next = start + ((piece.codePointAt(start) as number) > 0xffff ? 2 : 1)
      let single = false
      for (let end = next; end <= n && end - start <= longest; end++) {
        const id = known.get(piece.slice(start, end))
        if (id === undefined) continue
        offer(start, end, model.vocab[id][1], id)
        if (end === next) single = true
      }
      if (!single) offer(start, next, lowest + UNKNOWN_PENALTY, -1)
      start = next
    }
    const segments: Segment[] = []
    for (let end = n; end > 0; end = from[end])
      segments.push({ text: piece.slice(from[end], end), id: token[end] < 0 ? null : token[end] })
    return segments.reverse()
  }
}
