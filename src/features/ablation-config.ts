import { z } from 'zod'

/** Options of the `ablation` stage. */
export const ablationConfigSchema = z.object({
  examplesPerFeature: z
    .int()
    .min(1)
    .max(1000)
    .default(4)
    .describe('examples of the feature store to measure, per feature: first of each group, highest first'),
  where: z
    .enum(['context', 'token'])
    .default('context')
    .describe("take the feature out at every token of the example's context, or at the example's token only"),
  batchWindows: z.int().min(1).max(4096).default(16).describe('windows of text per untouched forward pass'),
  batchTokens: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(2048)
    .describe('tokens per forward pass with features taken out'),
})

export type AblationConfig = z.infer<typeof ablationConfigSchema>
