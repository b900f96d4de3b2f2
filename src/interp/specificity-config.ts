import { z } from 'zod'

/** Options of `measureSpecificity`. */
export const specificityConfigSchema = z.object({
  tokens: z.int().min(1).default(400_000).describe('tokens of text to measure on, validation text first'),
  minPositives: z
    .int()
    .min(1)
    .default(500)
    .describe('tokens of the concept wanted; with fewer, training text fills up the sample'),
  levels: z
    .int()
    .min(1)
    .max(64)
    .default(11)
    .describe('equal activation intervals between 0 and the maximum to report'),
  batchWindows: z.int().min(1).max(4096).default(16).describe('windows of text per forward pass'),
})

export type SpecificityConfig = z.infer<typeof specificityConfigSchema>
