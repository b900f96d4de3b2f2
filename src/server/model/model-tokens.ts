import type { Tokenizer } from '../../corpus/tokenizer.js'
import type { LoadedModel } from './model-runner.js'

/** Tokens of a text, as many as the model sees at once. */
export interface ModelTokens {
  /** the start-of-text token first */
  tokens: Int32Array
  /** whether the text has more */
  truncated: boolean
}

type Parts = {
  model: { config: Pick<LoadedModel['model']['config'], 'context'> }
  tokenizer: Pick<Tokenizer, 'encode' | 'startOfText'>
}

/** The beginning of a text. */
export const firstTokens = (parts: Parts, text: string): ModelTokens =>
  cut(parts, text, (all, room) => all.subarray(0, room))

/** The end of a text: what is to be continued. */
export const lastTokens = (parts: Parts, text: string): ModelTokens =>
  cut(parts, text, (all, room) => all.subarray(all.length - room))

function cut(
  { model, tokenizer }: Parts,
  text: string,
  keep: (all: Int32Array, room: number) => Int32Array,
): ModelTokens {
  const room = model.config.context - 1
  const all = tokenizer.encode(text)
  const truncated = all.length > room
  return { tokens: Int32Array.of(tokenizer.startOfText, ...(truncated ? keep(all, room) : all)), truncated }
}
