import { z } from 'zod'
import { batchWindows } from '../eval/batch-windows.js'

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
  batchWindows,
})

export type SpecificityConfig = z.infer<typeof specificityConfigSchema>
