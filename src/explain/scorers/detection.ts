import type { ExampleGroup, Scorer } from '../evidence.js'
import type { LlmClient } from '../llm/llm-client.js'
import { notation } from '../llm/shown-example.js'
import type { TokenNames } from '../llm/token-text.js'
import { judge } from './judge.js'
import { judgedScore } from './judged-score.js'
import { labelledTexts, textWithHighlights } from './labelled-texts.js'
import { noScore } from './score-of.js'

export interface TextScorerOptions {
  client: LlmClient
  tokenizer: TokenNames
  /** seed of every draw; default 0 */
  seed?: number
  /** texts in one conversation; default 5 */
  batch?: number
}

/** How the specificity on each kind of negative is called. */
export const negativeKinds: Record<ExampleGroup, string> = {
  top: 'Other',
  interval: 'Other',
  random: 'Random',
  'out-of-context': 'OutOfContext',
  neighbour: 'Neighbour',
}

const instructions = `A feature of a language model is active on some tokens of text and silent on others. You are told what one feature responds to, and see some texts. For each, judge whether the feature is active on at least one of its tokens. Any number of the texts may activate it. ${notation}`

/**
 * Detection (EleutherAI, delphi): which held-out texts activate the feature, going by the explanation? The value is balanced accuracy. The texts in
 * which it is silent are random ones, ones with its top tokens, and ones that activate its nearest features.
 */
export function createDetectionScorer({ client, tokenizer, seed = 0, batch = 5 }: TextScorerOptions): Scorer {
  return {
    name: 'detection',
    async score(explanation, evidence, signal) {
      const texts = labelledTexts(evidence, seed, 'detection')
      if (texts.length === 0) return [noScore('detection', 'there are no held-out texts')]
      const judgements = await judge(
        {
          client,
          purpose: 'detection',
          instructions,
          introduction: `The feature responds to: ${explanation.text}`,
          noun: 'text',
          items: texts.map(({ example }) => textWithHighlights(example, tokenizer)),
          batch,
        },
        signal,
      )
      const items = texts.map(({ active, group }) => ({
        positive: active,
        kind: active ? null : negativeKinds[group],
      }))
      return [judgedScore('detection', items, judgements)]
    },
  }
}
