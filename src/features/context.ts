import type { TokenSplit } from '../corpus/corpus.js'

/** How much text an example shows around its token. */
export interface ContextShape {
  /** T: windows of the split are consecutive stretches of this many tokens */
  contextSize: number
  /** tokens before the example token, at most */
  before: number
  /** tokens after it, at most */
  after: number
  /** the token that opens every document */
  startOfText: number
}

/** A stretch of a split's tokens: first (included) to end (excluded). */
export interface TokenRange {
  first: number
  end: number
}

/**
 * The context of one token: what the model saw of the same document in the same window, at most `before`
 * tokens back and `after` ahead. Without <|endoftext|>, so it may be shorter than before + 1 + after.
 */
export function contextRange(split: TokenSplit, shape: ContextShape, token: number): TokenRange {
  const { tokens } = split
  const windowStart = Math.floor(token / shape.contextSize) * shape.contextSize
  const lowest = Math.max(windowStart, token - shape.before)
  const highest = Math.min(windowStart + shape.contextSize, token + shape.after + 1)
  let first = token
  while (first > lowest && tokens[first - 1] !== shape.startOfText) first--
  let end = token + 1
  while (end < highest && tokens[end] !== shape.startOfText) end++
  return { first, end }
}

/** True when two stretches hold the same tokens. */
export function sameTokens(split: TokenSplit, a: TokenRange, b: TokenRange): boolean {
  if (a.end - a.first !== b.end - b.first) return false
  for (let i = 0; i < a.end - a.first; i++)
    if (split.tokens[a.first + i] !== split.tokens[b.first + i]) return false
  return true
}
