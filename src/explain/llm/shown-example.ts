import { cropExample } from '../crop.js'
import type { Example } from '../evidence.js'
import { protocolTokens } from '../protocol-examples.js'
import { quantise } from '../quantise.js'
import { readableTokens, type TokenNames } from './token-text.js'

/** An example as a prompt shows it: tokens as text, activations as digits. */
export interface ShownExample {
  text: string
  tokens: readonly string[]
  /** 0 to 9, one for each token */
  digits: readonly number[]
}

/** Crops an example around its token and quantises it against the feature's maximum. */
export function shownExample(
  example: Example,
  max: number,
  tokenizer: TokenNames,
  length = protocolTokens,
): ShownExample {
  const crop = cropExample(example, length)
  const first = example.tokenIndex - crop.tokenIndex
  const { tokens, text } = readableTokens(example.tokens, first, first + crop.tokens.length, tokenizer)
  const digits = crop.activations.map((activation) => quantise(activation, max))
  return { text, tokens, digits }
}

/** Stands between a token and its activation. */
export const arrow = ' → '

/** Explains what readable tokens look like; part of every prompt that shows some. */
export const notation =
  'Tokens are pieces of words, words, or signs; a space at their start belongs to them. ↵ stands for a newline and ⇥ for a tab. Characters whose bytes are spread over several tokens are shown with each of them and their part, like 漢⟨1/3⟩; a byte that belongs to no character is shown by its number, like ⟨d8⟩.'

/** One line for each token, with its activation. */
export const withDigits = ({ tokens, digits }: ShownExample): string =>
  tokens.map((token, i) => `${token}${arrow}${digits[i]}`).join('\n')

/** One line for each token, with a blank to fill in. */
export const withBlanks = ({ tokens }: ShownExample): string =>
  tokens.map((token) => `${token}${arrow}_`).join('\n')
