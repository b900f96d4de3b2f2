import type { Tokenizer } from '../../corpus/tokenizer.js'
import type { ScoredExample } from '../../explain/evidence.js'
import { segmentsOf } from '../../features/segments.js'
import type { ScoredExamples } from '../protocol.js'

/** A scored example as the app shows it: tokens joined to segments that can be read, each with the largest digit of its tokens. */
export function scoredExampleOf(
  example: ScoredExample,
  tokenizer: Pick<Tokenizer, 'tokenBytes' | 'tokenText'>,
): ScoredExamples['examples'][number] {
  const { group, interval, document, position, tokenIndex, tokens, activations, predictions } = example
  const segments = segmentsOf(tokens, activations, tokenizer)
  return {
    ...{ group, interval, document, position },
    focus: segments.findIndex(({ first, end }) => tokenIndex >= first && tokenIndex < end),
    segments: segments.map(({ text }) => text),
    activations: segments.map(({ activation }) => activation),
    predictions: predictions && segments.map(({ first, end }) => Math.max(...predictions.slice(first, end))),
  }
}
