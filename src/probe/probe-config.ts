import { z } from 'zod'
import { batchWindows } from '../eval/batch-windows.js'

/** Options of `runProbes`. */
export const probeConfigSchema = z.object({
  textField: z.string().min(1).default('text').describe('field or column that holds the text'),
  labelField: z.string().min(1).default('label').describe('field or column that holds the class'),
  folds: z.int().min(2).max(20).default(5).describe('folds of the stratified cross-validation'),
  pool: z
    .enum(['mean', 'max'])
    .default('mean')
    .describe('how the activations on the tokens of a text become one number for each feature'),
  sparsity: z
    .array(z.int().min(1).max(1000))
    .min(1)
    .default([1, 2, 5, 20])
    .describe('numbers of features of the k-sparse probes'),
  batchWindows,
  seed: z.int().min(0).max(0xffffffff).default(0).describe('seed of the division into folds'),
})

export type ProbeConfig = z.infer<typeof probeConfigSchema>
