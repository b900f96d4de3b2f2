import { z } from 'zod'

/** Everything that decides what `monosem activations harvest` writes. 1 MB is 1,000,000 bytes. */
export const harvestConfigSchema = z.strictObject({
  hook: z
    .array(z.string().min(1))
    .min(1)
    .describe('hook points whose activations are written; all of them come from the same forward passes'),
  split: z.enum(['train', 'validation']).default('train').describe('part of the corpus that is read'),
  tokens: z
    .int()
    .positive()
    .optional()
    .describe('activations to write for each hook point (default: one for each token of the split)'),
  contextSize: z
    .int()
    .positive()
    .optional()
    .describe("tokens that the model sees at a time (default: the model's context)"),
  keepBos: z
    .boolean()
    .default(false)
    .describe(
      'also write the activations of the token that stands before every document; they are unlike all others, often far larger',
    ),
  dtype: z.enum(['f32', 'bf16']).default('f32').describe('number format of the activations on disk'),
  shardMb: z
    .number()
    .positive()
    .max(1_000_000)
    .default(256)
    .describe('size of a file of the widest hook point, about, MB'),
  shardTokens: z.int().positive().optional().describe('activations in a file, about, instead of --shard-mb'),
  modelBatch: z.int().positive().default(32).describe('sequences per forward pass of the model'),
  seed: z
    .int()
    .min(0)
    .max(4294967295)
    .default(0)
    .describe('seed of the order in which pieces of the text are read'),
})

export type HarvestConfig = z.infer<typeof harvestConfigSchema>
