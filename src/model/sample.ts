import { parseConfig } from '../config/parse-config.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { type GenerateContext, generate } from './generate.js'
import { type SampleConfig, sampleConfigSchema } from './sample-config.js'
import type { Transformer } from './transformer.js'

/**
 * Continues one prompt as `generate` does, as text. Yields the new text (without the prompt) in pieces of whole
 * characters: bytes of an unfinished one are held back. Ends at `maxTokens` or when the model ends the
 * document. The same options give the same text.
 * @throws MonosemError config (an option out of range), interrupted
 */
export async function* sample(
  model: Transformer,
  tokenizer: Tokenizer,
  options: Partial<SampleConfig> = {},
  context: GenerateContext = {},
): AsyncGenerator<string, void, void> {
  const { prompt, ...writing } = parseConfig(sampleConfigSchema, options)
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  for await (const { token } of generate(model, tokenizer, [prompt], writing, context)) {
    const text = decoder.decode(tokenizer.tokenBytes(token), { stream: true })
    if (text) yield text
  }
  const rest = decoder.decode()
  if (rest) yield rest
}
