import { Random } from '../../random/random.js'
import { pearsonScore, spearmanScore } from '../correlation.js'
import { cropExample } from '../crop.js'
import type { Example, Explanation, FeatureEvidence, Score, Scorer } from '../evidence.js'
import type { LlmClient } from '../llm/llm-client.js'
import { type ShownExample, shownExample } from '../llm/shown-example.js'
import type { TokenNames } from '../llm/token-text.js'
import { type ProtocolCounts, predictCounts, protocolExamples, protocolTokens } from '../protocol-examples.js'
import { scoredExamples } from '../scored-examples.js'
import {
  predictionsOf,
  predictProblem,
  predictQuestion,
  predictSchema,
  predictSystem,
} from './predict-prompt.js'
import { noScore, scoreOf } from './score-of.js'

export interface PredictionScorerOptions {
  client: LlmClient
  tokenizer: TokenNames
  /** seed of the order of the examples; default 0 */
  seed?: number
  /** default: 60 examples with 12 intervals */
  counts?: ProtocolCounts
  /** tokens of an example; default 9 */
  tokens?: number
  /** examples in one conversation; default 60. Models with a short context, or that lose count, do better with fewer. */
  examplesPerConversation?: number
}

/**
 * Scores an explanation by what a language model predicts from it (Bricken et al. 2023): in a new conversation it sees the explanation and
 * shuffled held-out examples, and fills in a quantised activation for every token. Gives `spearman` and `pearson` against the truth over all
 * tokens; a constant prediction scores 0. An answer with one number missing is no score.
 */
export function createPredictionScorer(options: PredictionScorerOptions): Scorer {
  return {
    name: 'prediction',
    async score(explanation, evidence, signal, keep) {
      const examples = predictExamples(evidence, options)
      if (examples.length === 0) return both((name) => noScore(name, 'there are no held-out examples'))
      const predicted = await predict(explanation, examples, options, signal)
      if (!Array.isArray(predicted)) return both((name) => noScore(name, predicted.reason))
      if (keep) {
        const { tokens = protocolTokens } = options
        const crops = shuffledExamples(evidence, options).map((example) => cropExample(example, tokens))
        keep(scoredExamples(crops, evidence.max, predicted))
      }
      const truth = examples.flatMap(({ digits }) => digits)
      const details = { examples: examples.length, constant: Number(new Set(predicted).size === 1) }
      return both((name, correlation) => {
        const value = correlation(predicted, truth)
        return value === null
          ? noScore(name, 'the feature does the same on every token of the examples', truth.length)
          : scoreOf(name, value, truth.length, details)
      })
    },
  }
}

const both = (score: (name: string, correlation: typeof spearmanScore) => Score): Score[] => [
  score('spearman', spearmanScore),
  score('pearson', pearsonScore),
]

/** The examples to predict, shuffled: none of them is shown to the explainer. */
export function predictExamples(
  evidence: FeatureEvidence,
  options: Omit<PredictionScorerOptions, 'client'>,
): ShownExample[] {
  const { tokenizer, tokens = protocolTokens } = options
  return shuffledExamples(evidence, options).map((example) =>
    shownExample(example, evidence.max, tokenizer, tokens),
  )
}

function shuffledExamples(
  evidence: FeatureEvidence,
  { counts = predictCounts, tokens = protocolTokens, seed = 0 }: Omit<PredictionScorerOptions, 'client'>,
): Example[] {
  const examples = protocolExamples(evidence.score, counts, evidence.explain, tokens)
  return Random.named(seed, `predict ${evidence.feature}`).shuffle(examples)
}

async function predict(
  explanation: Explanation,
  examples: readonly ShownExample[],
  { client, examplesPerConversation = 60 }: PredictionScorerOptions,
  signal: AbortSignal | undefined,
): Promise<number[] | { reason: string }> {
  const predicted: number[] = []
  for (let first = 0; first < examples.length; first += examplesPerConversation) {
    const asked = examples.slice(first, first + examplesPerConversation)
    const answer = await client.ask(
      {
        purpose: 'predictions',
        system: predictSystem,
        messages: [{ role: 'user', content: predictQuestion(explanation, asked) }],
        schema: predictSchema,
        check: (value) => predictProblem(value, asked),
      },
      signal,
    )
    if (!answer.ok) return { reason: `no predictions (${answer.kind}): ${answer.reason}` }
    predicted.push(...predictionsOf(answer.value))
  }
  return predicted
}
