import { z } from 'zod'

/** Options of the `feature-map` stage. */
export const mapConfigSchema = z.object({
  neighbours: z
    .int()
    .min(2)
    .max(200)
    .default(15)
    .describe('nearest features kept for each, by cosine of decoder rows; n_neighbors of UMAP'),
  minDist: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('UMAP: how close two features may come on the map'),
  resolution: z
    .number()
    .positive()
    .max(1000)
    .default(4)
    .describe('of the clusters: larger gives more and smaller ones'),
  includeDead: z
    .boolean()
    .default(false)
    .describe('also place features that never fired on the text of the feature store'),
  seed: z.int().min(0).default(0).describe('seed of the layout and of the clusters'),
})

export type MapConfig = z.infer<typeof mapConfigSchema>
