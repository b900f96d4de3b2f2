import * as library from '@huggingface/tokenizers'
import type { NormalizerStep } from './tokenizer-document.js'

/** What we use of `@huggingface/tokenizers`; its own declarations leave these out for TypeScript's module resolution of Node. */
const { SequenceNormalizer, SplitPreTokenizer } = library as unknown as {
  SequenceNormalizer: new (config: {
    type: 'Sequence'
    normalizers: readonly unknown[]
  }) => {
    normalize(text: string): string
  }
  SplitPreTokenizer: new (config: {
    type: 'Split'
    pattern: unknown
    behavior: string
    invert: boolean
  }) => {
    pattern: RegExp | null
  }
}

/**
 * Makes the change that the `normalizer` of a tokenizer.json describes. `Precompiled`, SentencePiece's own table, is close to NFKC in the library.
 * @throws Error (a pattern that JavaScript cannot express)
 */
export function createNormalizer(steps: readonly NormalizerStep[]): (text: string) => string {
  if (steps.length === 0) return (text) => text
  const sequence = new SequenceNormalizer({ type: 'Sequence', normalizers: steps })
  return (text) => (text === '' ? '' : sequence.normalize(text))
}

/**
 * The pattern of a Split, which is Oniguruma's language or a plain string, as JavaScript's.
 * @throws Error (a pattern that JavaScript cannot express)
 */
export function compilePattern(pattern: { String: string } | { Regex: string }): RegExp {
  const { pattern: compiled } = new SplitPreTokenizer({
    type: 'Split',
    pattern,
    behavior: 'Isolated',
    invert: false,
  })
  if (!compiled) throw new Error(`cannot read the pattern ${JSON.stringify(pattern)}`)
  return compiled
}
