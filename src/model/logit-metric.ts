import type { Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'

/** A number made from the logits [V] of the next token: what attribution divides among features. */
export interface Metric {
  kind: 'logit' | 'log-probability' | 'logit-difference'
  target: number
  /** the other token of a difference */
  against: number | null
}

/**
 * logit: the target's logit less the mean of all logits, because adding one number to all of them changes nothing; in nats.
 * log-probability: the log of the target's probability. logit-difference: logit of the target less that of `against`.
 */
export function metricValue({ kind, target, against }: Metric, logits: Float32Array): number {
  if (kind === 'logit-difference') return logits[target] - logits[against as number]
  if (kind === 'logit') return logits[target] - logits.reduce((sum, value) => sum + value, 0) / logits.length
  return Math.log(softmax(logits)[target])
}

/** The metric's gradient with respect to the logits, [V]. */
export function metricGradient({ kind, target, against }: Metric, logits: Float32Array): Float32Array {
  const gradient = new Float32Array(logits.length)
  if (kind === 'logit') gradient.fill(-1 / logits.length)
  if (kind === 'log-probability') gradient.set(softmax(logits).map((p) => -p))
  gradient[target] += 1
  if (kind === 'logit-difference') gradient[against as number] -= 1
  return gradient
}

/** Probabilities of logits, in double precision. */
export function softmax(logits: Float32Array): Float64Array {
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity)
  const weights = Float64Array.from(logits, (value) => Math.exp(value - max))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

/**
 * The one token that a text is.
 * @param name what errors call it
 * @throws MonosemError config, when the text is several tokens: names them
 */
export function singleToken(
  tokenizer: Pick<Tokenizer, 'encode' | 'tokenText'>,
  text: string,
  name: string,
): number {
  const tokens = tokenizer.encode(text)
  if (tokens.length === 1) return tokens[0]
  const pieces = Array.from(tokens, (token) => JSON.stringify(tokenizer.tokenText(token))).join(' ')
  const blank = !text.startsWith(' ') && tokenizer.encode(` ${text}`).length === 1
  throw new MonosemError(
    'config',
    `${name}: expected one token, got ${tokens.length} from ${JSON.stringify(text)}: ${pieces || 'none'}`,
    {
      hint: blank
        ? `${JSON.stringify(` ${text}`)}, with a blank before it, is one token`
        : 'ask for the first of them; the others follow when it is part of the prompt',
    },
  )
}
