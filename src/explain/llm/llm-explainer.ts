import { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import type { Explainer } from '../evidence.js'
import { type ExplainPromptOptions, explainMessages, explainSystem } from './explain-prompt.js'
import type { LlmClient } from './llm-client.js'

export interface LlmExplainerOptions extends Omit<ExplainPromptOptions, 'intervals'> {
  client: LlmClient
  /** activation intervals of the evidence; default 12 */
  intervals?: number
}

/** In declaration order, so that the model thinks before it answers. */
const answerSchema = z.object({ reasoning: z.string(), explanation: z.string() })

/** More than this is no longer succinct, characters. */
const longestExplanation = 400

/**
 * Explains features by a language model (Bricken et al. 2023, "Automated interpretability"): 49 quantised examples with their intervals, and
 * the top and bottom logits, after eight demonstrations with chain of thought.
 */
export function createLlmExplainer(options: LlmExplainerOptions): Explainer {
  const { client, intervals = 12 } = options
  return {
    name: client.name,
    /** @throws MonosemError remote: this feature failed; any other code: so would every one (budget, key, server, interruption) */
    async explain(evidence, signal) {
      const answer = await client.ask(
        {
          purpose: 'explanation',
          system: explainSystem,
          messages: explainMessages(evidence, { ...options, intervals }),
          schema: answerSchema,
          check: ({ explanation }) => problemOf(tidy(explanation)),
        },
        signal,
      )
      if (!answer.ok)
        throw new MonosemError(
          'remote',
          `feature ${evidence.feature}: no explanation (${answer.kind}): ${answer.reason}`,
          {
            hint: 'the feature is counted as failed; ask again with another model or a larger limit',
          },
        )
      return { feature: evidence.feature, text: tidy(answer.value.explanation), explainer: client.name }
    },
  }
}

const tidy = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

function problemOf(explanation: string): string | null {
  if (explanation === '') return 'the explanation is empty'
  return explanation.length > longestExplanation
    ? `the explanation has ${explanation.length} characters, more than ${longestExplanation}`
    : null
}
