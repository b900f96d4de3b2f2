import { spearman } from '../correlation.js'
import { cropExample } from '../crop.js'
import type { FeatureEvidence } from '../evidence.js'
import { quantise } from '../quantise.js'
import { type PredictorWeights, readClues, type Vocabulary, weighClues } from './predictor.js'
import type { Rules } from './rules.js'

const steps = { previous: [0, 0.5, 1], context: [0, 0.5, 1], threshold: [0.1, 0.2, 0.35] }

/** All weights that are tried, the plainest first: among equals it wins. */
const grid: readonly PredictorWeights[] = steps.threshold.flatMap((threshold) =>
  steps.previous.flatMap((previous) => steps.context.map((context) => ({ previous, context, threshold }))),
)

/**
 * The weights that predict the examples to explain best, by the score that the examples to score will be judged by.
 * @param tokens how many around the middle of an example are predicted
 */
export function fitWeights(
  rules: Rules,
  { explain, max }: Pick<FeatureEvidence, 'explain' | 'max'>,
  vocabulary: Vocabulary,
  tokens: number,
): PredictorWeights {
  const crops = explain.map((example) => cropExample(example, tokens))
  const truth = crops.flatMap(({ activations }) => activations.map((value) => quantise(value, max)))
  const clues = crops.map((crop) => readClues(rules, crop.tokens, vocabulary))
  let best = grid[0]
  let bestScore = Number.NEGATIVE_INFINITY
  for (const weights of grid) {
    const predicted = clues.flatMap((one) =>
      Array.from(weighClues(one, weights), (value) => quantise(value, max)),
    )
    const score = spearman(predicted, truth) ?? Number.NEGATIVE_INFINITY
    if (score > bestScore) [best, bestScore] = [weights, score]
  }
  return best
}
