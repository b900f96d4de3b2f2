import { z } from 'zod'

/** Options of importing a model. */
export const importConfigSchema = z.object({
  context: z
    .int()
    .min(2)
    .max(1 << 20)
    .default(1024)
    .describe(
      "longest sequence of the imported model, tokens, up to the model's own: corpora are read in windows of this length",
    ),
  weights: z
    .enum(['stored', 'f32', 'bf16'])
    .default('stored')
    .describe('number format of the weights; stored: bf16 where the checkpoint is bf16, else f32'),
  revision: z.string().default('').describe('branch, tag or commit on the Hugging Face hub (default: main)'),
})

export type ImportConfig = z.infer<typeof importConfigSchema>
