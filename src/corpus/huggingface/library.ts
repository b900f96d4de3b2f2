import * as library from '@huggingface/tokenizers'

/** What we use of `@huggingface/tokenizers`; its own declarations leave these out for TypeScript's module resolution of Node. */
const { SequenceNormalizer, SplitPreTokenizer } = library as unknown as {
  SequenceNormalizer: new (config: {
    type: 'Sequence'
    normalizers: unknown[]
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
 * Makes the change that the `normalizer` of a tokenizer.json describes.
 * @throws Error (a type that the library does not know)
 */
export function createNormalizer(config: unknown): (text: string) => string {
  if (config === null || config === undefined) return (text) => text
  const sequence = new SequenceNormalizer({ type: 'Sequence', normalizers: [config] })
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
