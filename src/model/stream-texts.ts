import type { Tokenizer } from '../corpus/tokenizer.js'
import { type GenerateContext, generate, type Prompt, type WrittenToken } from './generate.js'
import type { GenerateConfig } from './sample-config.js'
import type { Transformer } from './transformer.js'

/** A new token of one of the texts, and what it adds to the text. */
export interface StreamedToken extends WrittenToken {
  /** the characters that it completes: '' while the bytes of one are still missing */
  text: string
}

/** `generate` with the text that each token adds. @throws MonosemError as `generate` */
export async function* streamTexts(
  model: Transformer,
  tokenizer: Tokenizer,
  prompts: readonly Prompt[],
  options: Partial<GenerateConfig> = {},
  context: GenerateContext = {},
): AsyncGenerator<StreamedToken, void, void> {
  const decoders = prompts.map(() => new TextDecoder('utf-8', { ignoreBOM: true }))
  for await (const { sequence, token } of generate(model, tokenizer, prompts, options, context)) {
    const text = decoders[sequence].decode(tokenizer.tokenBytes(token), { stream: true })
    yield { sequence, token, text }
  }
}
