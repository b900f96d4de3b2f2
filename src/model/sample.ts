import { parseConfig } from '../config/parse-config.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import { type SampleConfig, sampleConfigSchema } from './sample-config.js'
import { createWorkspace, forward, freeWorkspace, type Hook, type Transformer } from './transformer.js'

export interface SampleContext {
  /** stops the sampling with `interrupted` */
  signal?: AbortSignal
  /** run in every forward pass, e.g. to steer */
  hooks?: Record<string, Hook>
}

/**
 * Continues a prompt, one token at a time. The text starts after <|endoftext|>; beyond the model's context
 * the model sees the last `context` tokens. Yields the new text (without the prompt) in pieces of whole
 * characters: bytes of an unfinished one are held back. Ends at `maxTokens` or when the model ends the
 * document. The same options give the same text.
 * @throws MonosemError config (an option out of range), interrupted
 */
export async function* sample(
  model: Transformer,
  tokenizer: Tokenizer,
  options: Partial<SampleConfig> = {},
  context: SampleContext = {},
): AsyncGenerator<string, void, void> {
  const config = parseConfig(sampleConfigSchema, options)
  const random = Random.named(config.seed, 'sample')
  const tokens = [tokenizer.endOfText, ...tokenizer.encode(config.prompt)]
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const predictor = createPredictor(model, tokenizer.endOfText, context.hooks)
  try {
    for (let i = 0; i < config.maxTokens; i++) {
      throwIfInterrupted(context.signal)
      const token = chooseToken(await predictor.logits(tokens), config, random)
      if (token === tokenizer.endOfText) break
      tokens.push(token)
      const text = decoder.decode(tokenizer.tokenBytes(token), { stream: true })
      if (text) yield text
    }
    const rest = decoder.decode()
    if (rest) yield rest
  } finally {
    predictor.free()
  }
}

/** Logits [V] of the token after a text, one text at a time. */
function createPredictor(model: Transformer, padding: number, hooks?: Record<string, Hook>) {
  const { kernels, config, params } = model
  const T = config.context
  const workspace = createWorkspace(model, 1, T)
  const logits = kernels.zeros([1, config.vocabularySize])
  const batch = { tokens: new Int32Array(T), targets: new Int32Array(T).fill(-1), starts: new Int32Array(T) }
  const last = 'ln_final.hook_normalized'
  return {
    async logits(tokens: readonly number[]): Promise<Float32Array> {
      const window = tokens.slice(-T)
      // What comes after the last token is padding that nothing before it attends to.
      batch.tokens.fill(padding)
      batch.tokens.set(window)
      forward(model, workspace, batch, { hooks, stopAfter: last })
      const row = kernels.rows(workspace.activations[last], window.length - 1, 1)
      kernels.linearForward(logits, row, params['unembed.W_U'], null)
      return kernels.readF32(logits)
    },
    free(): void {
      freeWorkspace(model, workspace)
      kernels.free(logits)
    },
  }
}

/**
 * Draws from softmax(logits / temperature), cut to the most likely tokens whose probabilities reach topP
 * (nucleus sampling, Holtzman et al. 2020). Temperature 0 takes the largest logit. Equal logits: the lower id
 * comes first.
 */
export function chooseToken(
  logits: Float32Array,
  { temperature, topP }: Pick<SampleConfig, 'temperature' | 'topP'>,
  random: Random,
): number {
  const best = logits.reduce((top, value, id) => (value > logits[top] ? id : top), 0)
  if (temperature === 0) return best
  const weights = Float64Array.from(logits, (value) => Math.exp((value - logits[best]) / temperature))
  const total = weights.reduce((sum, w) => sum + w, 0)
  const ids = Int32Array.from(weights.keys()).sort((a, b) => weights[b] - weights[a] || a - b)
  let nucleus = 0
  let mass = 0
  while (nucleus < ids.length && mass < topP * total) mass += weights[ids[nucleus++]]
  let rest = random.uniform() * mass
  for (let i = 0; i < nucleus; i++) {
    rest -= weights[ids[i]]
    if (rest < 0) return ids[i]
  }
  return ids[nucleus - 1]
}
