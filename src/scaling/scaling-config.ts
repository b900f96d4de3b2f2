import { z } from 'zod'
import { saeConfigSchema } from '../sae/sae-config.js'

/** Architectures whose loss can be measured from activations and weights alone; that of `gated` needs its gates. */
const scalingArchitectures = ['relu', 'relu-norm', 'jumprelu', 'topk', 'batchtopk', 'matryoshka'] as const

/** What a sweep chooses for each autoencoder itself, and what only transcoders and people who watch a training need. */
const chosenBySweep = {
  architecture: true,
  features: true,
  expansion: true,
  k: true,
  l1Coefficient: true,
  l0Coefficient: true,
  trainTokens: true,
  seed: true,
  targetHookName: true,
  skip: true,
  measureTokens: true,
  tensorboard: true,
} as const

const ascending = (what: string) =>
  [
    (values: number[]) => values.every((value, i) => i === 0 || value > values[i - 1]),
    { message: `expected ${what} in ascending order, each once` },
  ] as const

/** Everything that decides which autoencoders a sweep trains, and how. */
export const scalingConfigSchema = saeConfigSchema.omit(chosenBySweep).extend({
  architecture: z
    .enum(scalingArchitectures)
    .default('topk')
    .describe('autoencoder; see monosem sae train --help'),
  features: z
    .array(z.number().int().positive())
    .min(1)
    .refine(...ascending('sizes'))
    .default([256, 512, 1024, 2048, 4096])
    .describe('numbers of features'),
  budgets: z
    .array(z.number().positive())
    .min(1)
    .refine(...ascending('budgets'))
    .optional()
    .describe(
      'training compute of every size, FLOP (10 D F for each token, as dense products take): more features mean fewer steps. Either this or --steps',
    ),
  steps: z
    .array(z.number().int().positive())
    .min(1)
    .refine(...ascending('steps'))
    .optional()
    .describe(
      'training steps of every size: a grid; sizes and steps that double make equal compute on its diagonals',
    ),
  sparsities: z
    .array(z.number().positive())
    .min(1)
    .refine(...ascending('values'))
    .optional()
    .describe(
      'k for topk, batchtopk and matryoshka, else the weight of the penalty; every law is fitted for each (default: that of monosem sae train)',
    ),
  seeds: z
    .array(z.number().int().nonnegative())
    .min(1)
    .refine(...ascending('seeds'))
    .default([0])
    .describe('seeds of the first weights; losses are means over them'),
  learningRatePower: z
    .number()
    .min(0)
    .max(2)
    .default(0)
    .describe(
      'the learning rate of a size is --learning-rate (features / 4096)^-power; Gao et al. 2024 find 0.5 for large sizes',
    ),
  minimumSteps: z
    .number()
    .int()
    .min(20)
    .default(50)
    .describe('budgets that leave a size fewer steps are left out for it'),
  maximumSteps: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('budgets that leave a size more steps are left out for it (default: no limit)'),
  heldOutTokens: z
    .number()
    .int()
    .positive()
    .default(65_536)
    .describe('tokens of validation text on which every loss is measured'),
  together: z
    .number()
    .int()
    .positive()
    .default(6)
    .describe('autoencoders that train side by side on one stream of activations'),
})

export type ScalingConfig = z.infer<typeof scalingConfigSchema>
