import type { Tokenizer } from '../../corpus/tokenizer.js'
import type { UnitStatistics } from '../collect-evidence.js'
import type { Explainer, Explanation, FeatureEvidence } from '../evidence.js'
import { describeRules } from './describe-rules.js'
import { fitWeights } from './fit-weights.js'
import { readClues, type Vocabulary, weighClues } from './predictor.js'
import { findRules, type RuleOptions, type ShortenedExample } from './rules.js'
import { classOfToken } from './text-classes.js'

/** An explanation that predicts by itself, without anybody reading it. */
export interface PredictingExplanation extends Explanation {
  /** the activation to expect on each token of a text, from the text alone. [tokens] */
  predict(tokens: readonly number[]): Float64Array
}

export interface StatisticsExplainerOptions extends RuleOptions {
  tokenizer: Pick<Tokenizer, 'vocabularySize' | 'tokenBytes' | 'tokenText'>
  /** what the text that explains tells of a unit, by its number */
  statistics: (id: number) => UnitStatistics
  /** strong examples of a unit with the tokens that they need, by its number; default none */
  shortened?: ReadonlyMap<number, readonly ShortenedExample[]>
  /** tokens of an example that are predicted; default 9 */
  predictTokens?: number
}

/** The explainer that needs no language model: deterministic, offline, a few milliseconds a feature. */
export interface StatisticsExplainer extends Explainer {
  explain(evidence: FeatureEvidence): Promise<PredictingExplanation>
}

/**
 * Explains a unit by rules that also predict it: the rates of its main tokens and of the kinds of tokens that the rest belongs to, moved by what
 * comes before and by the kind of text. The text names the main ones.
 */
export function createStatisticsExplainer(options: StatisticsExplainerOptions): StatisticsExplainer {
  const { tokenizer, statistics, predictTokens = 9 } = options
  const vocabulary: Vocabulary = {
    tokenBytes: tokenizer.tokenBytes,
    classOf: Uint8Array.from({ length: tokenizer.vocabularySize }, (_, token) =>
      classOfToken(tokenizer.tokenBytes(token)),
    ),
  }
  return {
    name: 'statistics',
    explain: async (evidence) => {
      const rules = findRules(
        statistics(evidence.feature),
        vocabulary.classOf,
        options,
        options.shortened?.get(evidence.feature),
      )
      const weights = fitWeights(rules, evidence, vocabulary, predictTokens)
      return {
        feature: evidence.feature,
        text: describeRules(rules, { tokenText: tokenizer.tokenText, classOf: vocabulary.classOf }),
        explainer: 'statistics',
        predict: (tokens) => weighClues(readClues(rules, tokens, vocabulary), weights),
      }
    },
  }
}
