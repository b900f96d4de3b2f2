import { z } from 'zod'

/** Options of the `scaling` stage, which fits the laws of finished jobs. */
export const scalingFitConfigSchema = z.strictObject({
  convergence: z
    .number()
    .positive()
    .max(0.5)
    .default(0.01)
    .describe(
      'a size counts as trained to convergence when doubling its steps would take off less than this share of its loss',
    ),
  seed: z.number().int().nonnegative().default(0).describe('seed of the bootstrap'),
})

export type ScalingFitConfig = z.infer<typeof scalingFitConfigSchema>
