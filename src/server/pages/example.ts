import type { Tokenizer } from '../../corpus/tokenizer.js'
import type { FeatureExample } from '../../features/feature-detail.js'
import { segmentsOf } from '../../features/segments.js'
import type { Example } from '../protocol.js'

/**
 * An example as the app shows it: tokens joined to segments that can be read.
 * @param effects change of log-likelihood by token, nats, NaN where not known; null: not measured. A segment's is the sum of its tokens'
 */
export function exampleOf(
  example: FeatureExample,
  tokenizer: Pick<Tokenizer, 'tokenBytes' | 'tokenText'>,
  effects: ArrayLike<number> | null,
): Example {
  const { interval, activation, document, position, tokenIndex, tokens, activations } = example
  const segments = segmentsOf(tokens, activations, tokenizer)
  const sum = (first: number, end: number): number | null => {
    let total = 0
    for (let i = first; i < end; i++) total += (effects as ArrayLike<number>)[i]
    return Number.isNaN(total) ? null : shorter(total)
  }
  return {
    interval,
    activation: shorter(activation),
    document,
    position,
    focus: segments.findIndex(({ first, end }) => tokenIndex >= first && tokenIndex < end),
    segments: segments.map(({ text }) => text),
    activations: segments.map((segment) => shorter(segment.activation)),
    effects: effects && segments.map(({ first, end }) => sum(first, end)),
  }
}

/** Four significant digits: what is shown, and a third of the bytes. */
export const shorter = (value: number): number => (value === 0 ? 0 : Number(value.toPrecision(4)))
