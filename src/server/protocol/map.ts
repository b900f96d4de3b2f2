import { z } from '@hono/zod-openapi'
import { count, featureId, share } from './common.js'

// The map of all features.

export const mapSchema = z
  .object({
    /** columns of equal length, one entry for each feature on the map */
    feature: z.array(featureId),
    x: z.array(z.number()),
    y: z.array(z.number()),
    cluster: z.array(count),
    density: z.array(share),
    max: z.array(z.number()),
    score: z.array(z.number().nullable()),
    clusters: z.array(
      z.object({
        cluster: count,
        size: count,
        name: z.string().describe('its most typical explanation, or tokens'),
        x: z.number(),
        y: z.number(),
      }),
    ),
  })
  .openapi('FeatureMap')
export type FeatureMap = z.infer<typeof mapSchema>
