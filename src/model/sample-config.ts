import { z } from 'zod'

/** Options of sampling from a language model. */
export const sampleConfigSchema = z.object({
  prompt: z.string().default('').describe('text to continue; a document starts where it is empty'),
  maxTokens: z.int().min(1).max(1_000_000).default(200).describe('tokens to write'),
  temperature: z
    .number()
    .min(0)
    .max(100)
    .default(0.8)
    .describe('divides the logits; below 1 is safer, 0 takes the most likely token'),
  topK: z.int().min(0).default(0).describe('choose among this many of the most likely tokens; 0 for all'),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .default(0.95)
    .describe('choose among the most likely tokens that together have this probability'),
  seed: z.int().min(0).max(0xffffffff).default(0).describe('seed of the choices'),
})

export type SampleConfig = z.infer<typeof sampleConfigSchema>

/** The same options where there are several prompts. */
export const generateConfigSchema = sampleConfigSchema.omit({ prompt: true })

export type GenerateConfig = z.infer<typeof generateConfigSchema>
