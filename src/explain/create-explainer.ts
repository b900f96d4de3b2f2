import type { Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { UnitEvidence } from './collect-evidence.js'
import type { Explainer, Scorer } from './evidence.js'
import { createLlmClient } from './llm/llm-client.js'
import type { LlmConfig } from './llm/llm-config.js'
import { createLlmExplainer } from './llm/llm-explainer.js'
import { emptyUsage, type LlmUsage } from './llm/llm-usage.js'
import { createRemoteCalls } from './llm/remote-calls.js'
import { createEmbeddingScorer } from './scorers/embedding.js'
import { createLlmScorers, type LlmScorerName, llmScorerNames } from './scorers/llm-scorers.js'
import { createRulesScorer } from './statistics/predicted-score.js'
import {
  createStatisticsExplainer,
  type StatisticsExplainerOptions,
} from './statistics/statistics-explainer.js'

/** What may judge an explanation: `prediction` gives the Spearman and Pearson scores. */
export const scorerNames = [...llmScorerNames, 'embedding'] as const

export type ScorerName = (typeof scorerNames)[number]

export interface ExplainerOptions {
  tokenizer: Tokenizer
  /** of the features: their token statistics */
  evidence: UnitEvidence
  scorers: readonly ScorerName[]
  llm: LlmConfig
  /** of the evidence */
  intervals: number
  /** of the features: strong examples with the tokens that they need */
  shortened?: StatisticsExplainerOptions['shortened']
  predictTokens: number
  seed: number
}

/** An explainer by name, with what judges its explanations. */
export interface ExplainerSetup {
  explainer: Explainer
  scorers: Scorer[]
  /** what language models have used so far */
  usage(): LlmUsage
}

/**
 * Checks that an explainer exists, that its key and address are there, and that the scorers go with it: before anything is computed.
 * @throws MonosemError config
 */
export function checkExplainer(name: string, scorers: readonly ScorerName[], llm: LlmConfig): void {
  const asks = scorers.filter((scorer) => scorer !== 'prediction' && scorer !== 'embedding')
  if (name === 'statistics' && asks.length > 0)
    throw new MonosemError(
      'config',
      `--scorers: ${asks.join(', ')} ask a language model, which statistics is not`,
      {
        hint: 'use prediction and embedding, or --explainer anthropic:MODEL, openai:MODEL or compatible:MODEL',
      },
    )
  if (name !== 'statistics' && !/^(anthropic|openai|compatible):./.test(name))
    throw new MonosemError('config', `--explainer: there is none called ${JSON.stringify(name)}`, {
      hint: 'use statistics, anthropic:MODEL, openai:MODEL or compatible:MODEL',
    })
  if (name !== 'statistics') createLlmClient(name, createRemoteCalls(llm))
}

/**
 * The explainer of this name: `statistics`, or the name of a language model as provider:model.
 * @throws MonosemError config (no such explainer, no key, no address, scorers that do not go with it)
 */
export function createExplainer(name: string, options: ExplainerOptions): ExplainerSetup {
  const { tokenizer, evidence, scorers, seed, predictTokens, intervals, shortened } = options
  checkExplainer(name, scorers, options.llm)
  const embedding = scorers.includes('embedding') ? [createEmbeddingScorer({ tokenizer, seed })] : []
  if (name === 'statistics')
    return {
      explainer: createStatisticsExplainer({
        tokenizer,
        statistics: evidence.statistics,
        predictTokens,
        shortened,
      }),
      scorers: [...(scorers.includes('prediction') ? [createRulesScorer(predictTokens)] : []), ...embedding],
      usage: emptyUsage,
    }
  const calls = createRemoteCalls(options.llm)
  const client = createLlmClient(name, calls)
  const asking = scorers.filter((scorer): scorer is LlmScorerName => scorer !== 'embedding')
  return {
    explainer: createLlmExplainer({ client, tokenizer, intervals }),
    scorers: [...createLlmScorers({ client, tokenizer, seed, scorers: asking }), ...embedding],
    usage: calls.usage,
  }
}
