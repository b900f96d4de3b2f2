import type { Tokenizer } from '../corpus/tokenizer.js'
import { rowLogits } from '../model/cached-forward.js'
import type { Transformer } from '../model/transformer.js'
import type { Steering } from './steering.js'
import { layOutTexts, readTexts } from './text-pass.js'

/** A token whose probability steering changes. */
export interface Mover {
  token: number
  text: string
  /** probability without and with steering */
  before: number
  after: number
}

/** How steering changes what comes after a prompt. */
export interface NextTokenChange {
  /** KL(unsteered || steered) in nats */
  klDivergence: number
  /** largest rise of probability first */
  up: Mover[]
  /** largest fall first */
  down: Mover[]
}

/**
 * The distribution of the token after a prompt, with and without steering.
 * @param count movers in each direction
 * @throws MonosemError shape (a prompt longer than the context: check before with `promptTokens`)
 */
export async function nextTokenChange(
  model: Transformer,
  tokenizer: Pick<Tokenizer, 'tokenText'>,
  prompt: Int32Array,
  steering: Steering,
  count: number,
): Promise<NextTokenChange> {
  const { kernels, config } = model
  const layout = layOutTexts([{ tokens: prompt, promptLength: prompt.length }], config.context)
  const last = Int32Array.of(prompt.length - 1)
  const logits = (hooks: Steering['hooks'] | null) =>
    readTexts(model, layout, hooks, async (pass) => {
      const row = rowLogits(model, pass, last)
      const values = await kernels.readF32(row)
      kernels.free(row)
      return logSoftmax(values)
    })
  const [before, after] = [await logits(null), await logits(steering.hooks)]
  const change = Float64Array.from(before, (logP, v) => Math.exp(after[v]) - Math.exp(logP))
  const order = Int32Array.from(change.keys()).sort((a, b) => change[b] - change[a] || a - b)
  const mover = (token: number): Mover => ({
    token,
    text: tokenizer.tokenText(token),
    before: Math.exp(before[token]),
    after: Math.exp(after[token]),
  })
  return {
    klDivergence: before.reduce((sum, logP, v) => sum + Math.exp(logP) * (logP - after[v]), 0),
    up: Array.from(order.subarray(0, count), mover).filter((m) => m.after > m.before),
    down: Array.from(order.slice(-count || order.length).reverse(), mover).filter((m) => m.after < m.before),
  }
}

/** Log-probabilities in double precision. */
function logSoftmax(logits: Float32Array): Float64Array {
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity)
  const sum = logits.reduce((total, value) => total + Math.exp(value - max), 0)
  return Float64Array.from(logits, (value) => value - max - Math.log(sum))
}
