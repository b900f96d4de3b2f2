import { z } from 'zod'
import { architectureNames } from '../sae/sae-config.js'
import { parseCount } from './figures.js'

const count = () =>
  z
    .string()
    .transform(parseCount)
    .refine((value) => value > 0, { message: 'expected a number such as 4096, 34M or 8B' })

const whole = () => z.int().positive()

/** What `monosem scaling plan` is asked. Counts are text: "34M", "8B", "4096". */
export const planConfigSchema = z.strictObject({
  architecture: z
    .enum(architectureNames)
    .default('topk')
    .describe('autoencoder; see monosem sae train --help'),
  features: count().prefault('34M').describe('number of features, e.g. 65536 or 34M'),
  d: count().prefault('4096').describe('width of the activations'),
  tokens: count().prefault('8B').describe('tokens to train on'),
  k: whole().default(32).describe('active features of a token: k, or the L0 that is expected'),
  batchSize: whole().default(4096).describe('tokens per step, of all ranks together'),
  nodes: whole().default(1).describe('machines'),
  ranksPerNode: whole().default(1).describe('ranks on each machine; --threads is for each of them'),
  featureRanks: whole()
    .optional()
    .describe(
      'ranks that share the features (default: with --data-ranks whatever is left, else the fastest)',
    ),
  dataRanks: whole().optional().describe('replicas that share the tokens of a batch (default: likewise)'),
  exchangeGradients: z
    .enum(['f32', 'bf16'])
    .default('f32')
    .describe('number format in which gradients cross between replicas'),
  precision: z
    .enum(['fp32', 'bf16', 'int8'])
    .default('bf16')
    .describe('number format in which encoding looks for active features'),
  bufferTokens: whole()
    .default(262_144)
    .describe('activations in the shuffle buffer of every rank, in tokens'),
  activationDtype: z
    .enum(['bf16', 'f32'])
    .default('bf16')
    .describe('number format of activations on disk and in the buffer'),
  nodeGib: z.number().positive().optional().describe('memory of a machine, GiB (default: that of this one)'),
  flopsPerThread: z
    .number()
    .positive()
    .optional()
    .describe(
      'floating-point operations a second that a thread reaches in training, e.g. 80e9 (default: from steps timed on this machine)',
    ),
  memoryBandwidth: z
    .number()
    .positive()
    .optional()
    .describe(
      'bytes a second between one rank and its memory, e.g. 20e9 (default: measured on this machine)',
    ),
  probe: z
    .boolean()
    .default(true)
    .describe('measure on this machine what is not given; without it there are no times'),
})

export type PlanConfig = z.infer<typeof planConfigSchema>
