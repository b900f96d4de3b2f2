import { z } from 'zod'

/** Options of making a model without what training taught it. */
export const randomizeConfigSchema = z.object({
  method: z
    .enum(['shuffle', 'gaussian', 'init'])
    .default('shuffle')
    .describe(
      'shuffle: the entries of each weight matrix in random order (Bricken et al. 2023); gaussian: matrices drawn anew with the mean and the ' +
        'standard deviation of the trained ones (re-randomised, Heap et al. 2025); init: all parameters as before the first step of training ' +
        '(step 0 there)',
    ),
  keepEmbeddings: z
    .boolean()
    .default(false)
    .describe('leave the embedding, the positions and the unembedding as they are'),
  seed: z.int().min(0).default(0).describe('seed of the random numbers'),
})

export type RandomizeConfig = z.infer<typeof randomizeConfigSchema>
