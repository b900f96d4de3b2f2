import { pearson } from '../../interp/correlation.js'
import { cropExample } from '../crop.js'
import type { FeatureEvidence } from '../evidence.js'
import { quantise, quantisedMax } from '../quantise.js'
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
  const truth = digitRanks(
    crops.flatMap(({ activations }) => activations.map((value) => quantise(value, max))),
  )
  const clues = crops.map((crop) => readClues(rules, crop.tokens, vocabulary))
  const digits = new Uint8Array(truth.length)
  let best = grid[0]
  let bestScore = Number.NEGATIVE_INFINITY
  for (const weights of grid) {
    let n = 0
    for (const one of clues) for (const value of weighClues(one, weights)) digits[n++] = quantise(value, max)
    const score = pearson(digitRanks(digits), truth) ?? Number.NEGATIVE_INFINITY
    if (score > bestScore) [best, bestScore] = [weights, score]
  }
  return best
}

/** Ranks of quantised activations, ties averaged: what `ranks` gives, by counting. */
function digitRanks(digits: ArrayLike<number>): Float64Array {
  const counts = new Float64Array(quantisedMax + 1)
  for (let i = 0; i < digits.length; i++) counts[digits[i]]++
  let before = 0
  const rank = counts.map((count) => {
    before += count
    return before - (count - 1) / 2
  })
  return Float64Array.from(digits, (digit) => rank[digit])
}
