import type { Tokenizer } from '../../corpus/tokenizer.js'
import { Random } from '../../random/random.js'
import type { FeatureEvidence, Scorer } from '../evidence.js'
import { notation } from '../llm/shown-example.js'
import type { TextScorerOptions } from './detection.js'
import { judge } from './judge.js'
import { judgedScore } from './judged-score.js'
import { noScore } from './score-of.js'

export interface LogitTestOptions extends Omit<TextScorerOptions, 'tokenizer'> {
  tokenizer: Pick<Tokenizer, 'tokenBytes' | 'tokenText' | 'vocabularySize' | 'startOfText'>
}

/** A token of the test and whether the feature raises its logit. */
export interface LogitToken {
  token: number
  raised: boolean
}

/** Ranks by logit weight that are asked about: 10th to 60th, of which the explainer has seen none. */
const [firstRank, endRank] = [10, 60]

const instructions = `A feature of a language model is active on some tokens of text, and raises the probability of some output tokens as the next token. You are told what one feature responds to. For each output token, judge whether it is one that the feature makes likelier to come next. About half of them are. ${notation}`

/**
 * The logit test of Bricken et al. 2023: of 50 tokens ranked 10th to 60th by the feature's logit weight and 50 random ones, which does the
 * feature raise, going by the explanation? The value is balanced accuracy, here the share of right answers.
 */
export function createLogitScorer({ client, tokenizer, seed = 0, batch = 25 }: LogitTestOptions): Scorer {
  return {
    name: 'logit',
    async score(explanation, evidence, signal) {
      const { topLogits } = evidence
      if (topLogits.length < endRank) {
        const reason = `the test needs the ${endRank} largest logit weights, and there are ${topLogits.length}`
        return [noScore('logit', reason)]
      }
      const tokens = logitTokens(evidence, tokenizer, seed)
      const judgements = await judge(
        {
          client,
          purpose: 'logit',
          instructions,
          introduction: `The feature responds to: ${explanation.text}`,
          noun: 'token',
          items: tokens.map(({ token }) => JSON.stringify(tokenizer.tokenText(token))),
          batch,
        },
        signal,
      )
      const items = tokens.map(({ raised }) => ({ positive: raised, kind: null }))
      return [judgedScore('logit', items, judgements)]
    },
  }
}

/** The tokens of the test, shuffled. Random ones are not among the largest 60 weights, and none comes twice. */
export function logitTokens(
  evidence: Pick<FeatureEvidence, 'feature' | 'topLogits'>,
  tokenizer: Pick<Tokenizer, 'vocabularySize' | 'startOfText'>,
  seed: number,
): LogitToken[] {
  const random = Random.named(seed, `logit test ${evidence.feature}`)
  const ranked = evidence.topLogits.slice(0, endRank).map(({ token }) => token)
  const raised = ranked.slice(firstRank)
  const taken = new Set([...ranked, tokenizer.startOfText])
  const others: number[] = []
  const wanted = Math.min(raised.length, tokenizer.vocabularySize - taken.size)
  while (others.length < wanted) {
    const token = random.int(tokenizer.vocabularySize)
    if (taken.has(token)) continue
    taken.add(token)
    others.push(token)
  }
  return random.shuffle([
    ...raised.map((token) => ({ token, raised: true })),
    ...others.map((token) => ({ token, raised: false })),
  ])
}
