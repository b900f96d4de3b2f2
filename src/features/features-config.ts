import { z } from 'zod'
import { batchWindows } from '../eval/batch-windows.js'

/** Options of the `features` stage. */
export const featuresConfigSchema = z.object({
  tokens: z.int().min(1).default(500_000).describe('tokens to look for examples in, spread over the split'),
  split: z.enum(['train', 'validation']).default('train').describe('which split the text comes from'),
  topExamples: z
    .int()
    .min(0)
    .max(1000)
    .default(20)
    .describe('examples with the largest activations, per feature'),
  intervals: z
    .int()
    .min(1)
    .max(16)
    .default(11)
    .describe('equal activation intervals between 0 and the maximum that examples are drawn from'),
  examplesPerInterval: z
    .int()
    .min(0)
    .max(100)
    .default(5)
    .describe('random examples from each interval, per feature'),
  contextBefore: z.int().min(0).max(512).default(16).describe('tokens shown before the example token'),
  contextAfter: z.int().min(0).max(512).default(8).describe('tokens shown after the example token'),
  logitTokens: z
    .int()
    .min(0)
    .max(1000)
    .default(10)
    .describe('output tokens kept at each end of the logit weights'),
  tokenTable: z
    .int()
    .min(0)
    .max(1000)
    .default(32)
    .describe('tokens of the vocabulary kept in the token table, per feature'),
  coActive: z
    .int()
    .min(0)
    .max(128)
    .default(10)
    .describe('features kept that fire together with it, per feature'),
  neurons: z.int().min(0).max(1000).default(5).describe('aligned and correlated neurons kept, per feature'),
  batchWindows,
  seed: z.int().min(0).default(0).describe('seed of the random draw of examples'),
})

export type FeaturesConfig = z.infer<typeof featuresConfigSchema>
