import { parseConfig } from '../config/parse-config.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import { throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import {
  cachedForwardAsync,
  createKeyValueCache,
  freeKeyValueCache,
  type KeyValueCache,
  rowLogits,
} from './cached-forward.js'
import { chooseToken } from './choose-token.js'
import { type GenerateConfig, generateConfigSchema } from './sample-config.js'
import { type AsyncHook, BEFORE_LOGITS, type Hook, type Transformer } from './transformer.js'

/** What the rows of a forward pass are, for hooks that treat some of them differently. [N] each */
export interface PassRows {
  tokens: Int32Array
  /** which text of the batch */
  sequences: Int32Array
  /** index of the token in its text; the start-of-text token that opens it is 0 */
  indices: Int32Array
  /** 1 where the prediction writes a token: from the last token of the prompt on */
  writes: Uint8Array
}

/** Hooks for one forward pass, by hook point. */
export type HooksFor<H extends AsyncHook = Hook> = (rows: PassRows) => Record<string, H>

export interface GenerateContext {
  /** stops the writing with `interrupted` */
  signal?: AbortSignal
  /** run in every forward pass, on its new positions, e.g. to steer */
  hooks?: Record<string, AsyncHook> | HooksFor<AsyncHook>
}

/** One new token of one of the texts. */
export interface WrittenToken {
  /** which prompt it continues */
  sequence: number
  token: number
}

/** What the model wrote after a prompt. */
export interface Continuation {
  tokens: number[]
  text: string
}

/** A text to continue, which then stands after the start of a text; or token ids, taken as they are. */
export type Prompt = string | readonly number[]

/** A text being written. */
interface Writer {
  sequence: number
  /** the start-of-text token, prompt, what was written */
  tokens: number[]
  promptLength: number
  random: Random
  /** index of the first token that the model sees */
  windowStart: number
  /** tokens of the window that the cache holds */
  cached: number
}

/**
 * Continues several prompts at once, a token each at a time, with a cache of keys and values. Every text starts after the tokenizer's startOfText. When
 * it has filled the model's context, the window moves on to its last three quarters, which are computed again. Yields tokens as they
 * are chosen, those of one step in the order of the prompts; a text ends at `maxTokens` or when the model ends the document (that
 * token is not yielded). The same options give the same texts, and the first is the one that its prompt gives alone.
 * @throws MonosemError config (an option out of range), diverged (hooks made the logits infinite or NaN), interrupted
 */
export async function* generate(
  model: Transformer,
  tokenizer: Pick<Tokenizer, 'encode' | 'startOfText' | 'endTokens'>,
  prompts: readonly Prompt[],
  options: Partial<GenerateConfig> = {},
  context: GenerateContext = {},
): AsyncGenerator<WrittenToken, void, void> {
  const config = parseConfig(generateConfigSchema, options)
  let writers = prompts.map((prompt, sequence) =>
    createWriter(model, tokenizer, prompt, sequence, config.seed),
  )
  if (writers.length === 0) return
  const longest = Math.max(...writers.map(({ tokens }) => tokens.length)) + config.maxTokens
  const cache = createKeyValueCache(model, writers.length, {
    positions: Math.min(longest, model.config.context),
  })
  try {
    for (let i = 0; i < config.maxTokens && writers.length > 0; i++) {
      throwIfInterrupted(context.signal)
      const logits = await nextLogits(model, cache, writers, context.hooks)
      const ended = new Set<Writer>()
      for (const [at, writer] of writers.entries()) {
        const token = chooseToken(logits[at], config, writer.random)
        if (tokenizer.endTokens.has(token) || token === tokenizer.startOfText) {
          ended.add(writer)
          continue
        }
        writer.tokens.push(token)
        yield { sequence: writer.sequence, token }
      }
      writers = writers.filter((writer) => !ended.has(writer))
    }
  } finally {
    freeKeyValueCache(model, cache)
  }
}

/** Continues several prompts at once and returns what was written when all are done. @throws MonosemError as `generate` */
export async function continueTexts(
  model: Transformer,
  tokenizer: Tokenizer,
  prompts: readonly Prompt[],
  options: Partial<GenerateConfig> = {},
  context: GenerateContext = {},
): Promise<Continuation[]> {
  const tokens: number[][] = prompts.map(() => [])
  for await (const written of generate(model, tokenizer, prompts, options, context))
    tokens[written.sequence].push(written.token)
  return tokens.map((own) => ({ tokens: own, text: tokenizer.decode(own) }))
}

function createWriter(
  { config }: Transformer,
  tokenizer: Pick<Tokenizer, 'encode' | 'startOfText'>,
  prompt: Prompt,
  sequence: number,
  seed: number,
): Writer {
  const tokens =
    typeof prompt === 'string' ? [tokenizer.startOfText, ...tokenizer.encode(prompt)] : [...prompt]
  if (tokens.length === 0)
    throw new MonosemError('shape', `prompt ${sequence}: expected at least one token, got none`, {
      hint: 'begin with the start-of-text token',
    })
  return {
    sequence,
    tokens,
    promptLength: tokens.length,
    random: Random.named(seed, sequence === 0 ? 'sample' : `sample ${sequence}`),
    windowStart: Math.max(0, tokens.length - config.context),
    cached: 0,
  }
}

/** Computes what each text has that the cache lacks; the logits [V] of each one's next token. */
async function nextLogits(
  model: Transformer,
  cache: KeyValueCache,
  writers: readonly Writer[],
  hooks: GenerateContext['hooks'] = {},
): Promise<Float32Array[]> {
  const { kernels, config } = model
  const { rows, positions, last } = newRows(writers, config.context)
  const pass = await cachedForwardAsync(
    model,
    cache,
    { ...rows, positions },
    {
      hooks: typeof hooks === 'function' ? hooks(rows) : hooks,
      stopAfter: BEFORE_LOGITS,
    },
  )
  const logits = rowLogits(model, pass, last)
  const values = await kernels.readF32(logits)
  kernels.free(logits)
  const V = config.vocabularySize
  return writers.map((_, at) => requireFinite(values.subarray(at * V, (at + 1) * V)))
}

/** The rows to compute, their positions in the windows, and which of them is the last of each text. Marks them as cached. */
function newRows(
  writers: readonly Writer[],
  context: number,
): { rows: PassRows; positions: Int32Array; last: Int32Array } {
  const [tokens, sequences, indices, positions, writes, last]: number[][] = [[], [], [], [], [], []]
  for (const writer of writers) {
    if (writer.tokens.length - writer.windowStart > context) {
      writer.windowStart = writer.tokens.length - Math.max(1, Math.floor((3 * context) / 4))
      writer.cached = 0
    }
    const end = writer.tokens.length - writer.windowStart
    for (let position = writer.cached; position < end; position++) {
      const index = writer.windowStart + position
      tokens.push(writer.tokens[index])
      sequences.push(writer.sequence)
      indices.push(index)
      positions.push(position)
      writes.push(index >= writer.promptLength - 1 ? 1 : 0)
    }
    writer.cached = end
    last.push(tokens.length - 1)
  }
  const rows = {
    tokens: Int32Array.from(tokens),
    sequences: Int32Array.from(sequences),
    indices: Int32Array.from(indices),
    writes: Uint8Array.from(writes),
  }
  return { rows, positions: Int32Array.from(positions), last: Int32Array.from(last) }
}

function requireFinite(logits: Float32Array): Float32Array {
  const wrong = logits.find((value) => !Number.isFinite(value))
  if (wrong !== undefined)
    throw new MonosemError('diverged', `model/generate: expected finite logits, got ${wrong}`, {
      hint: 'are the hooks (the strength of steering) too strong, or the parameters damaged?',
    })
  return logits
}
