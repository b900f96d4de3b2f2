import { z } from 'zod'
import { batchWindows } from '../eval/batch-windows.js'

/** Options of the `universality` stage. */
export const universalityConfigSchema = z.object({
  tokens: z
    .int()
    .min(1)
    .default(400_000)
    .describe(
      'tokens to read with both models: on one half of the documents partners are chosen, on the other they are measured again',
    ),
  split: z.enum(['train', 'validation']).default('validation').describe('which split the text comes from'),
  minFires: z
    .int()
    .min(1)
    .default(30)
    .describe('fewest tokens that a feature must fire on, on the half that chooses, to be compared'),
  replicates: z.int().min(100).max(100_000).default(1000).describe('bootstrap replicates of each interval'),
  examples: z
    .int()
    .min(0)
    .max(100)
    .default(8)
    .describe('pairs of partners, and features without a counterpart, that the report shows on text'),
  batchWindows,
  bootstrapSeed: z.int().min(0).default(0).describe('seed of the bootstrap and of the shuffled vocabulary'),
})

export type UniversalityConfig = z.infer<typeof universalityConfigSchema>
