import { pearsonScore, spearmanScore } from '../correlation.js'
import { cropExample } from '../crop.js'
import type { FeatureEvidence, KeepExamples, Score, Scorer } from '../evidence.js'
import { predictCounts, protocolExamples } from '../protocol-examples.js'
import { quantise } from '../quantise.js'
import { scoredExamples } from '../scored-examples.js'
import { noScore, scoreOf } from '../scorers/score-of.js'
import type { PredictingExplanation } from './statistics-explainer.js'

/**
 * `spearman` and `pearson` of predicted against true quantised activations over all tokens of the held-out examples of the protocol (60 of 9
 * tokens); both are quantised against the unit's maximum. A constant prediction scores 0.
 * @param scale what the predictor takes for its maximum; default the unit's own. For the predictor of another unit, that one's: so a
 * shuffled explanation is judged by where it predicts, not by its units
 * @param keep is handed the examples and the predictions
 */
export function scorePrediction(
  { predict }: Pick<PredictingExplanation, 'predict'>,
  evidence: FeatureEvidence,
  predictTokens = 9,
  scale = evidence.max,
  keep?: KeepExamples,
): Score[] {
  const examples = protocolExamples(evidence.score, predictCounts, evidence.explain, predictTokens)
  const crops = examples.map((example) => cropExample(example, predictTokens))
  const truth = crops.flatMap(({ activations }) => activations.map((value) => quantise(value, evidence.max)))
  const predicted = crops.flatMap(({ tokens }) =>
    Array.from(predict(tokens), (value) => quantise(value, scale)),
  )
  keep?.(scoredExamples(crops, evidence.max, predicted))
  const details = { examples: crops.length, constant: Number(new Set(predicted).size <= 1) }
  return [['spearman', spearmanScore] as const, ['pearson', pearsonScore] as const].map(
    ([name, correlation]) => {
      const value = truth.length > 0 ? correlation(predicted, truth) : null
      return value === null
        ? noScore(name, 'the unit does the same on every token of the examples', truth.length)
        : scoreOf(name, value, truth.length, details)
    },
  )
}

/** `scorePrediction` as a scorer, for explanations that predict by themselves. */
export function createRulesScorer(predictTokens?: number): Scorer {
  return {
    name: 'prediction',
    score: async (explanation, evidence, _signal, keep) => {
      if ('predict' in explanation)
        return scorePrediction(
          explanation as PredictingExplanation,
          evidence,
          predictTokens,
          evidence.max,
          keep,
        )
      const reason = 'the explanation does not predict by itself'
      return [noScore('spearman', reason), noScore('pearson', reason)]
    },
  }
}
