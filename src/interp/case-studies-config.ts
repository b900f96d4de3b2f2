import { z } from 'zod'
import { batchWindows } from '../eval/batch-windows.js'

/** Options of the `case-studies` stage. */
export const caseStudiesConfigSchema = z.object({
  tokens: z.int().min(1).default(400_000).describe('tokens of text to compare features and predicates on'),
  names: z
    .array(z.string())
    .default(['arabic', 'hebrew', 'dna', 'base64'])
    .describe('built-in predicates to study: arabic, hebrew, dna, base64'),
  patterns: z
    .array(z.string())
    .default([])
    .describe('own predicates, each name=regular expression (true inside its matches)'),
  minPositives: z
    .int()
    .min(1)
    .default(500)
    .describe('tokens of each kind wanted in each half; with fewer, training text fills up the sample'),
  batchWindows,
  seed: z.int().min(0).default(0).describe('seed of the division into a choosing and a measuring half'),
})

export type CaseStudiesConfig = z.infer<typeof caseStudiesConfigSchema>
