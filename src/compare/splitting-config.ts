import { z } from 'zod'
import { batchWindows } from '../eval/batch-windows.js'
import { mapConfigSchema } from '../features/map-config.js'

const share = () => z.number().min(0).max(1)

/** Options of the `splitting` stage. */
export const splittingConfigSchema = z.object({
  tokens: z
    .int()
    .min(2)
    .default(300_000)
    .describe('validation tokens that all autoencoders read, spread over the split'),
  minCosine: share()
    .default(0.5)
    .describe('smallest cosine of decoder rows between a feature and its parent in the smaller autoencoder'),
  minCorrelation: share()
    .default(0.25)
    .describe('smallest correlation of activations between a feature and its parent'),
  minFires: z
    .int()
    .min(2)
    .default(30)
    .describe('features that fire on fewer tokens are not judged: counted as underpowered'),
  concepts: z
    .array(z.string())
    .default(['arabic', 'hebrew', 'dna', 'base64'])
    .describe('predicates of which each feature gets the share of its activation that is where they hold'),
  patterns: z.array(z.string()).default([]).describe('more of them as name=expression, e.g. numbers=\\d+'),
  topTokens: z
    .int()
    .min(1)
    .max(20)
    .default(5)
    .describe('tokens kept for each feature, by share of its activation'),
  neighbours: z
    .int()
    .min(2)
    .max(200)
    .default(15)
    .describe(
      'nearest features by cosine of decoder rows, of all autoencoders together; n_neighbors of UMAP',
    ),
  minDist: mapConfigSchema.shape.minDist,
  resolution: mapConfigSchema.shape.resolution,
  batchWindows,
  seed: z
    .int()
    .min(0)
    .default(0)
    .describe('seed of the map, of the clusters and of the chance level of cosines'),
})

export type SplittingConfig = z.infer<typeof splittingConfigSchema>
