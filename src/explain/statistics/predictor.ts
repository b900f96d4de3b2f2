import type { Rules } from './rules.js'
import { contextClassAt } from './text-classes.js'

/** How much the surroundings count, fitted to the examples that explain. */
export interface PredictorWeights {
  /** of the token before, and of the kind of text: 0 ignores it, 1 takes its lift as it is */
  previous: number
  context: number
  /** probabilities below this predict 0 */
  threshold: number
}

/** What a predictor knows of the vocabulary. */
export interface Vocabulary {
  tokenBytes(token: number): Uint8Array
  /** [V] token class of each token */
  classOf: Uint8Array
}

/** What the rules say of each token of a text, before it is weighed. [tokens] each */
export interface Clues {
  /** log-odds by the token, or its kind, alone; -Infinity where no rule speaks of it */
  own: Float64Array
  /** mean activation when active */
  activation: Float64Array
  /** lifts by the token before, and by the kind of text */
  previous: Float64Array
  context: Float64Array
}

/** Reads a text by the rules. What stands before its first token is not known. */
export function readClues(rules: Rules, tokens: ArrayLike<number>, vocabulary: Vocabulary): Clues {
  const clues = {
    own: new Float64Array(tokens.length).fill(Number.NEGATIVE_INFINITY),
    activation: new Float64Array(tokens.length),
    previous: new Float64Array(tokens.length),
    context: new Float64Array(tokens.length),
  }
  for (let i = 0; i < tokens.length; i++) {
    const rate = rules.tokens.get(tokens[i]) ?? rules.classes.get(vocabulary.classOf[tokens[i]])
    if (!rate) continue
    clues.own[i] = Math.log(rate.probability / (1 - rate.probability))
    clues.activation[i] = rate.activation
    if (i > 0) clues.previous[i] = rules.previous.get(tokens[i - 1]) ?? rules.otherPrevious
    clues.context[i] = rules.contexts.get(contextClassAt(tokens, i, vocabulary.tokenBytes)) ?? 0
  }
  applySequences(rules, tokens, clues)
  return clues
}

/** Log-odds of a token that ends a sequence which sets the unit off by itself: 9 to 1. */
const certain = Math.log(9)

function applySequences({ sequences }: Rules, tokens: ArrayLike<number>, clues: Clues): void {
  if (sequences.size === 0) return
  for (let i = 1; i < tokens.length; i++)
    for (const { before, activation } of sequences.get(tokens[i]) ?? []) {
      if (before.length > i || before.some((token, j) => tokens[i - before.length + j] !== token)) continue
      clues.own[i] = Math.max(clues.own[i], certain)
      clues.activation[i] = Math.max(clues.activation[i], activation)
    }
}

/** The activation to expect on each token: P(active) times the mean when active. [tokens] */
export function weighClues(clues: Clues, weights: PredictorWeights): Float64Array {
  return clues.own.map((_, i) => {
    const probability = probabilityAt(clues, i, weights)
    return probability >= weights.threshold ? probability * clues.activation[i] : 0
  })
}

/** P(active) on one token; 0 where no rule speaks of it. */
export function probabilityAt(
  { own, previous, context }: Clues,
  i: number,
  weights: Pick<PredictorWeights, 'previous' | 'context'>,
): number {
  if (own[i] === Number.NEGATIVE_INFINITY) return 0
  const logOdds = own[i] + weights.previous * previous[i] + weights.context * context[i]
  return 1 / (1 + Math.exp(-logOdds))
}
