import type { Tokenizer } from '../../corpus/tokenizer.js'
import type { Scorer } from '../evidence.js'
import type { LlmClient } from '../llm/llm-client.js'
import { createDetectionScorer } from './detection.js'
import { createFuzzingScorer } from './fuzzing.js'
import { createIntruderScorer } from './intruder.js'
import { createLogitScorer } from './logit-test.js'
import { createPredictionScorer } from './prediction.js'

/** Scorers that ask a language model. */
export const llmScorerNames = ['prediction', 'detection', 'fuzzing', 'intruder', 'logit'] as const

export type LlmScorerName = (typeof llmScorerNames)[number]

export interface LlmScorersOptions {
  client: LlmClient
  tokenizer: Tokenizer
  /** default: all, in this order */
  scorers?: readonly LlmScorerName[]
  /** seed of every draw; default 0 */
  seed?: number
  /** examples in one conversation of the prediction; default 60, as the protocol has it */
  examplesPerConversation?: number
}

/** The scorers of a language model: what it cannot answer is a score of null with a reason. All with their defaults otherwise. */
export function createLlmScorers(options: LlmScorersOptions): Scorer[] {
  const create: Record<LlmScorerName, () => Scorer> = {
    prediction: () => createPredictionScorer(options),
    detection: () => createDetectionScorer(options),
    fuzzing: () => createFuzzingScorer(options),
    intruder: () => createIntruderScorer(options),
    logit: () => createLogitScorer(options),
  }
  return (options.scorers ?? llmScorerNames).map((name) => create[name]())
}
