import { z } from 'zod'

/** Options of running a model on a file of token ids. */
export const runConfigSchema = z.object({
  hook: z
    .array(z.string().min(1))
    .default([])
    .describe('hook points whose activations to write, e.g. blocks.0.hook_resid_post'),
  logits: z.boolean().default(true).describe('write the logits of every position'),
  loss: z.boolean().default(true).describe('write the mean next-token cross-entropy, nats'),
  batchTokens: z
    .int()
    .min(1)
    .max(1 << 20)
    .default(2048)
    .describe('tokens in a forward pass, at least one sequence: bounds the memory'),
})

export type RunConfig = z.infer<typeof runConfigSchema>
