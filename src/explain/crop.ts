import type { Example } from './evidence.js'

/**
 * The `tokens` tokens around the one that an example is about, the middle one where the text allows: what the predict protocol of Bricken et al.
 * 2023 shows (9 tokens). At an end of the text the other side gets more.
 */
export function cropExample(example: Example, tokens: number): Example {
  const length = Math.min(tokens, example.tokens.length)
  const centred = example.tokenIndex - Math.floor((tokens - 1) / 2)
  const first = Math.max(0, Math.min(centred, example.tokens.length - length))
  return {
    ...example,
    tokenIndex: example.tokenIndex - first,
    tokens: example.tokens.slice(first, first + length),
    activations: example.activations.slice(first, first + length),
  }
}
