import type { Example } from './evidence.js'

/** Tokens around an example's token that are shown and predicted in Bricken et al. 2023. */
export const protocolTokens = 9

/**
 * The `length` tokens around an example's token: the token in the middle, or nearer to an end where the text begins or stops. Shorter
 * only when the example is.
 * @returns first (included) and end (excluded) of `example.tokens`
 */
export function cropRange(
  example: Pick<Example, 'tokens' | 'tokenIndex'>,
  length = protocolTokens,
): { first: number; end: number } {
  const centred = example.tokenIndex - Math.floor((length - 1) / 2)
  const first = Math.max(0, Math.min(centred, example.tokens.length - length))
  return { first, end: Math.min(example.tokens.length, first + length) }
}

/** Two crops with the same key show the same text. */
export function cropKey(example: Pick<Example, 'tokens' | 'tokenIndex'>, length = protocolTokens): string {
  const { first, end } = cropRange(example, length)
  return example.tokens.slice(first, end).join(' ')
}
