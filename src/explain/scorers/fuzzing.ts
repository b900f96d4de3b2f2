import { Random } from '../../random/random.js'
import type { FeatureEvidence, Scorer } from '../evidence.js'
import { notation } from '../llm/shown-example.js'
import { negativeKinds, type TextScorerOptions } from './detection.js'
import { judge } from './judge.js'
import { judgedScore } from './judged-score.js'
import { activeTokens, type LabelledText, labelledTexts, textWithHighlights } from './labelled-texts.js'
import { noScore } from './score-of.js'

/** A text with some tokens highlighted, rightly or wrongly. */
export interface FuzzedText {
  example: LabelledText['example']
  highlighted: ReadonlySet<number>
  right: boolean
  /** what kind of wrong; null when right */
  kind: string | null
}

const instructions = `A feature of a language model is active on some tokens of text and silent on others. You are told what one feature responds to, and see some texts in which tokens are highlighted ⟦like this⟧. For each, judge whether exactly the right tokens are highlighted: those on which the feature is active. Any number of the texts may be right. ${notation}`

/**
 * Fuzzing (EleutherAI, delphi): which held-out texts are highlighted rightly, going by the explanation? The value is balanced accuracy. Half of the texts
 * that activate the feature have its active tokens highlighted, the other half as many of the others; texts in which it is silent have the token
 * highlighted that they were chosen for.
 */
export function createFuzzingScorer({ client, tokenizer, seed = 0, batch = 5 }: TextScorerOptions): Scorer {
  return {
    name: 'fuzzing',
    async score(explanation, evidence, signal) {
      const texts = fuzzedTexts(evidence, seed)
      if (texts.length === 0) return [noScore('fuzzing', 'there are no held-out texts')]
      const judgements = await judge(
        {
          client,
          purpose: 'fuzzing',
          instructions,
          introduction: `The feature responds to: ${explanation.text}`,
          noun: 'text',
          items: texts.map(({ example, highlighted }) => textWithHighlights(example, tokenizer, highlighted)),
          batch,
        },
        signal,
      )
      const items = texts.map(({ right, kind }) => ({ positive: right, kind }))
      return [judgedScore('fuzzing', items, judgements)]
    },
  }
}

/** The held-out texts of a feature with rightly and wrongly highlighted tokens, shuffled. */
export function fuzzedTexts(evidence: FeatureEvidence, seed: number): FuzzedText[] {
  const random = Random.named(seed, `fuzzing ${evidence.feature}`)
  let next = true
  return labelledTexts(evidence, seed, 'fuzzing').map(({ example, group, active }) => {
    const places = activeTokens(example)
    if (!active)
      return {
        example,
        highlighted: new Set([example.tokenIndex]),
        right: false,
        kind: negativeKinds[group],
      }
    const others = random.shuffle(example.tokens.map((_, i) => i).filter((i) => !places.includes(i)))
    const right = next || others.length === 0
    next = !right
    return right
      ? { example, highlighted: new Set(places), right, kind: null }
      : { example, highlighted: new Set(others.slice(0, places.length)), right, kind: 'WrongTokens' }
  })
}
