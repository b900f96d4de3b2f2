import type { Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Transformer } from './transformer.js'

/**
 * The tokens of a prompt, the start-of-text token first, for what has to see all of it at once.
 * @throws MonosemError config, when the prompt is longer than the model's context
 */
export function promptTokens(
  { config }: Pick<Transformer, 'config'>,
  tokenizer: Pick<Tokenizer, 'encode' | 'startOfText'>,
  prompt: string,
): Int32Array {
  const tokens = Int32Array.of(tokenizer.startOfText, ...tokenizer.encode(prompt))
  if (tokens.length <= config.context) return tokens
  throw new MonosemError(
    'config',
    `prompt: expected at most ${config.context} tokens (the model's context, the start-of-text token included), got ${tokens.length}`,
    { hint: 'shorten the prompt' },
  )
}
