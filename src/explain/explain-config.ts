import { z } from 'zod'
import { scorerNames } from './create-explainer.js'
import { evidenceConfigSchema } from './evidence-config.js'
import { llmConfigSchema } from './llm/llm-config.js'

/** Options of explaining and scoring. */
export const explainConfigSchema = z.object({
  features: z
    .array(z.string())
    .default([])
    .describe('numbers and ranges of features, e.g. 0-499,700; default: all that are active'),
  explainer: z
    .string()
    .default('statistics')
    .describe('statistics (offline), anthropic:MODEL, openai:MODEL or compatible:MODEL with --base-url'),
  scorers: z
    .array(z.enum(scorerNames))
    .default(['prediction'])
    .describe(
      `what judges the explanations: ${scorerNames.join(', ')}; all but prediction and embedding ask a language model`,
    ),
  ...evidenceConfigSchema.shape,
  ...llmConfigSchema.shape,
})

export type ExplainConfig = z.infer<typeof explainConfigSchema>
