import { z } from 'zod'

/** Options of `attribute`. */
export const attributeConfigSchema = z.object({
  prompt: z.string().default('').describe('the text before the token in question'),
  target: z.string().min(1).describe("the next token in question, with its blank where it has one: ' world'"),
  against: z
    .string()
    .default('')
    .describe('another token: attribute the difference of the two logits instead of --metric'),
  metric: z
    .enum(['logit', 'log-probability'])
    .default('logit')
    .describe(
      "what is divided among features: the target's logit (above the mean of all logits), or its log-probability",
    ),
  by: z
    .enum(['position', 'feature'])
    .default('position')
    .describe('one line for a feature at one position, or for a feature at all its positions together'),
  top: z.int().min(1).max(100_000).default(20).describe('lines to list, those with the largest effect'),
  verify: z
    .int()
    .min(0)
    .max(100_000)
    .default(50)
    .describe(
      'how many of the largest to check by really ablating them; the correlation is over these (0: none)',
    ),
})
