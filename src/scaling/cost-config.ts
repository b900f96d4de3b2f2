import { z } from 'zod'
import { architectureNames } from '../sae/sae-config.js'
import { parseCount } from './figures.js'

const count = () =>
  z
    .string()
    .transform(parseCount)
    .refine((value) => value > 0, { message: 'expected a number such as 4096, 34M or 8B' })

/** What `monosem scaling cost` is asked. Counts are text: "34M", "8B", "4096". */
export const costConfigSchema = z.strictObject({
  architecture: z
    .enum(architectureNames)
    .default('topk')
    .describe('autoencoder; see monosem sae train --help'),
  features: z
    .array(count())
    .min(1)
    .prefault(['1M', '4M', '34M'])
    .describe('numbers of features, e.g. 65536 or 1M'),
  d: count().prefault('4096').describe('width of the activations'),
  tokens: count().prefault('8B').describe('tokens to train on'),
  k: z
    .number()
    .int()
    .positive()
    .default(32)
    .describe('active features of a token: k, or the L0 that is expected'),
  batchSize: z.number().int().positive().default(4096).describe('tokens per step'),
  precision: z
    .enum(['auto', 'fp32', 'bf16', 'int8'])
    .default('auto')
    .describe('number format in which encoding looks for active features'),
  bufferTokens: z
    .number()
    .int()
    .positive()
    .default(262_144)
    .describe('activations in the shuffle buffer, in tokens'),
  activationDtype: z
    .enum(['bf16', 'f32'])
    .default('bf16')
    .describe('number format of activations on disk and in the buffer'),
  modelParameters: count()
    .optional()
    .describe(
      "parameters of the model up to the hook point, e.g. 4B: adds its forward passes, at the processor's peak",
    ),
  rankGib: z
    .number()
    .positive()
    .optional()
    .describe('memory of one rank, GiB (default: that of this machine)'),
  probe: z
    .boolean()
    .default(true)
    .describe('time a few training steps on this machine; without it there are no hours'),
  probeMb: z
    .number()
    .positive()
    .default(64)
    .describe('size of one weight matrix of the largest timed step, MB'),
})

export type CostConfig = z.infer<typeof costConfigSchema>
