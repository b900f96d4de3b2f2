import type { Tokenizer } from '../../corpus/tokenizer.js'
import { segmentsOf } from '../../features/segments.js'

/** What is needed of a tokenizer to show tokens. */
export type TokenNames = Pick<Tokenizer, 'tokenBytes' | 'tokenText'>

/** Tokens made readable, one string each, and the text that they make together. */
export interface ReadableTokens {
  tokens: string[]
  text: string
}

/**
 * Shows the tokens from `first` (included) to `end` (excluded) of a context as a language model can read them. A character whose bytes are
 * spread over n tokens is shown with each of them and its part: 漢⟨1/3⟩, 漢⟨2/3⟩, 漢⟨3/3⟩; in the running text it stands once. The tokens around the
 * stretch are used to complete characters at its edges; bytes that no character is made of are shown by their numbers, like ⟨d8⟩.
 * Newlines become ↵ and tabs ⇥, so that a token is always one line.
 */
export function readableTokens(
  context: ArrayLike<number>,
  first: number,
  end: number,
  tokenizer: TokenNames,
): ReadableTokens {
  const tokens: string[] = []
  let text = ''
  for (const segment of segmentsOf(context, new Float32Array(context.length), tokenizer)) {
    const parts = segment.end - segment.first
    const shown: string[] = []
    for (let i = Math.max(segment.first, first); i < Math.min(segment.end, end); i++)
      shown.push(parts === 1 ? segment.text : `${segment.text}⟨${i - segment.first + 1}/${parts}⟩`)
    tokens.push(...shown)
    text += shown.length === parts ? segment.text : shown.join('')
  }
  return { tokens, text }
}
