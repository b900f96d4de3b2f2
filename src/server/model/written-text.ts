import type { Tokenizer } from '../../corpus/tokenizer.js'
import { printable } from '../../terminal/printable.js'

/** Tokens to text as they are written. */
export interface WrittenTextStream {
  /** The characters that this token completes; '' where it ends inside of one. */
  add(token: number): string
  /** What is left: a character that was never completed, as U+FFFD. */
  end(): string
}

/** Whole characters only, control characters as U+FFFD. */
export function createWrittenText(tokenizer: Pick<Tokenizer, 'tokenBytes'>): WrittenTextStream {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return {
    add: (token) => printable(decoder.decode(tokenizer.tokenBytes(token), { stream: true })),
    end: () => printable(decoder.decode()),
  }
}
