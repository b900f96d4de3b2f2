import { cropExample } from '../crop.js'
import type { FeatureEvidence } from '../evidence.js'
import { quantise, quantisedMax } from '../quantise.js'
import { type Clues, type PredictorWeights, probabilityAt, readClues, type Vocabulary } from './predictor.js'
import type { Rules } from './rules.js'

const steps = { previous: [0, 0.5, 1], context: [0, 0.5, 1], threshold: [0.1, 0.2, 0.35] }

/** All weights that are tried, the plainest first: among equals it wins. */
const grid: readonly PredictorWeights[] = steps.threshold.flatMap((threshold) =>
  steps.previous.flatMap((previous) => steps.context.map((context) => ({ previous, context, threshold }))),
)

/** Digits that a quantised activation can be. */
const digits = quantisedMax + 1

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
  const crops = explain.map((example) => {
    const crop = cropExample(example, tokens)
    const clues = readClues(rules, crop.tokens, vocabulary)
    return { clues, truth: crop.activations.map((value) => quantise(value, max)) }
  })
  let best = grid[0]
  let bestScore = Number.NEGATIVE_INFINITY
  for (const weights of grid) {
    // How often each digit is predicted where each is true: [digits, digits]. Correlations of so few values follow from it.
    const table = new Float64Array(digits * digits)
    for (const { clues, truth } of crops)
      truth.forEach((digit, i) => {
        table[predictedDigit(clues, i, weights, max) * digits + digit]++
      })
    const score = spearmanOfTable(table)
    if (score > bestScore) [best, bestScore] = [weights, score]
  }
  return best
}

function predictedDigit(clues: Clues, i: number, weights: PredictorWeights, max: number): number {
  const probability = probabilityAt(clues, i, weights)
  return probability >= weights.threshold ? quantise(probability * clues.activation[i], max) : 0
}

/**
 * Spearman's correlation, ties averaged, of two lists of digits.
 * @param table [10, 10] how often each digit of the first comes with each of the second
 * @returns -Infinity when either is constant
 */
function spearmanOfTable(table: Float64Array): number {
  const rowCounts = new Float64Array(digits)
  const columnCounts = new Float64Array(digits)
  table.forEach((count, i) => {
    rowCounts[Math.floor(i / digits)] += count
    columnCounts[i % digits] += count
  })
  const a = centredRanks(rowCounts)
  const b = centredRanks(columnCounts)
  const product = table.reduce((sum, count, i) => sum + count * a[Math.floor(i / digits)] * b[i % digits], 0)
  const square = (ranks: Float64Array, counts: Float64Array): number =>
    ranks.reduce((sum, rank, digit) => sum + counts[digit] * rank * rank, 0)
  const squares = square(a, rowCounts) * square(b, columnCounts)
  return squares > 0 ? product / Math.sqrt(squares) : Number.NEGATIVE_INFINITY
}

/** Twice the mean rank of each digit, less twice the mean of all ranks: whole numbers, so that sums of them are exact. */
function centredRanks(counts: Float64Array): Float64Array {
  const n = counts.reduce((sum, count) => sum + count, 0)
  let before = 0
  return counts.map((count) => {
    const rank = 2 * before + count - n
    before += count
    return rank
  })
}
