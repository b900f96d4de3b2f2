import { isUtf8 } from 'node:buffer'
import { readableBytes, type Tokenizer } from '../corpus/tokenizer.js'

/**
 * A piece of text to show as one: mostly one token, several where a character's bytes are spread over tokens.
 */
export interface Segment {
  text: string
  /** largest activation of its tokens */
  activation: number
  /** indices of its tokens: first (included) to end (excluded) */
  first: number
  end: number
}

/** Tokens that one character's bytes can be spread over, with some more for characters that overlap. */
const longestMerge = 12

/**
 * Cuts tokens into pieces that can be read: tokens that end in the middle of a character are joined with
 * those that complete it. Bytes that never become a character are shown by their numbers, like ⟨d8⟩.
 */
export function segmentsOf(
  tokens: ArrayLike<number>,
  activations: ArrayLike<number>,
  tokenizer: Pick<Tokenizer, 'tokenBytes' | 'tokenText'>,
): Segment[] {
  const segments: Segment[] = []
  for (let first = 0; first < tokens.length; ) {
    const whole = isUtf8(tokenizer.tokenBytes(tokens[first]))
    const merged = whole ? null : mergeUntilWhole(tokens, first, tokenizer)
    const end = merged?.end ?? first + 1
    let activation = 0
    for (let i = first; i < end; i++) activation = Math.max(activation, activations[i])
    const text = merged ? readableBytes(merged.bytes) : tokenizer.tokenText(tokens[first])
    segments.push({ text, activation, first, end })
    first = end
  }
  return segments
}

/**
 * The shortest run of tokens from `first` on whose bytes are whole characters; null when there is none
 * nearby.
 */
function mergeUntilWhole(
  tokens: ArrayLike<number>,
  first: number,
  tokenizer: Pick<Tokenizer, 'tokenBytes'>,
): { bytes: Uint8Array; end: number } | null {
  const parts: Uint8Array[] = []
  for (let end = first; end < Math.min(tokens.length, first + longestMerge); end++) {
    parts.push(tokenizer.tokenBytes(tokens[end]))
    const bytes = Buffer.concat(parts)
    if (isUtf8(bytes)) return { bytes, end: end + 1 }
  }
  return null
}
