import { z } from 'zod'
import { batchWindows } from './batch-windows.js'

/** Options of the `eval` stage. */
export const evalConfigSchema = z.object({
  tokens: z.int().min(1).default(300_000).describe('validation tokens to evaluate on, spread over the split'),
  meanTokens: z
    .int()
    .min(1)
    .default(32_768)
    .describe('tokens of the sample that the mean for mean ablation is taken from'),
  batchWindows,
})

export type EvalConfig = z.infer<typeof evalConfigSchema>
