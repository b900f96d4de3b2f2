import { z } from '@hono/zod-openapi'
import { count, featureId, share, tokenRef } from './common.js'

// The list of features, and the page of one.

/** A feature on a stretch of text. */
export const exampleSchema = z
  .object({
    interval: z
      .int()
      .nullable()
      .describe('null: a top example, else the interval it was drawn from, 0 lowest'),
    activation: z.number(),
    document: count,
    position: count.describe('index of the token in its document; the opening start-of-text token is 0'),
    focus: count.describe('which segment the example is about'),
    segments: z.array(z.string()),
    activations: z.array(z.number()).describe('of each segment'),
    effects: z
      .array(z.number().nullable())
      .nullable()
      .describe(
        'change of the log-likelihood of the token after each segment when the feature is taken out, in nats; null: not measured',
      ),
  })
  .openapi('Example')
export type Example = z.infer<typeof exampleSchema>

/** One line of the feature list. */
export const featureListItemSchema = z
  .object({
    feature: featureId,
    name: z.string().nullable().describe("the user's label, else the first explanation"),
    named: z.enum(['label', 'explanation']).nullable().describe('where the name comes from'),
    density: share.describe('share of tokens on which it fires'),
    max: z.number(),
    mean: z.number().nullable().describe('over the tokens on which it fires'),
    score: z.number().nullable().describe('Spearman score of its explanation'),
    singleToken: z.boolean(),
    cluster: z.int().nullable().describe('on the map; 0 is the largest'),
    tokens: z.array(z.string()).describe('tokens that it fires on, most active first'),
    // A union, because `nullable()` would make null a part of the schema that is called Example.
    example: z.union([exampleSchema, z.null()]).describe('a few segments of its strongest example'),
  })
  .openapi('FeatureListItem')
export type FeatureListItem = z.infer<typeof featureListItemSchema>

export const featureSorts = ['id', 'density', 'max', 'mean', 'score', 'map', 'random'] as const
export const featureSortSchema = z.enum(featureSorts)
export type FeatureSort = z.infer<typeof featureSortSchema>

const numberParam = z.coerce.number()
const flagParam = z.enum(['true', 'false']).transform((value) => value === 'true')

/** What to list: query parameters, so that every state has an address. */
export const featureQuerySchema = z.object({
  q: z.string().max(200).optional().describe('words to look for'),
  in: z
    .enum(['all', 'explanation', 'token'])
    .default('all')
    .describe('where to look: names and explanations, tokens that features fire on, or both'),
  sort: featureSortSchema
    .optional()
    .describe(
      'default: best match first with q, else density. map: neighbours on the map next to each other',
    ),
  order: z.enum(['asc', 'desc']).optional().describe('default desc, but asc for id and map'),
  seed: z.coerce.number().int().min(0).default(0).describe('of sort=random'),
  minDensity: numberParam.optional(),
  maxDensity: numberParam.optional(),
  minMax: numberParam.optional().describe('smallest maximum activation'),
  maxMax: numberParam.optional(),
  minScore: numberParam.optional().describe('leaves out features without a score'),
  maxScore: numberParam.optional(),
  singleToken: flagParam.optional(),
  labelled: flagParam.optional().describe('only features that the user has labelled, or only the others'),
  cluster: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  offset: z.coerce.number().int().min(0).default(0),
})
export type FeatureQuery = z.input<typeof featureQuerySchema>
export type ParsedFeatureQuery = z.output<typeof featureQuerySchema>

export const featureListSchema = z
  .object({
    total: count.describe('features that match'),
    offset: count,
    items: z.array(featureListItemSchema),
  })
  .openapi('FeatureList')
export type FeatureList = z.infer<typeof featureListSchema>

const logitWeightSchema = z.object({ ...tokenRef, weight: z.number() })

/** Everything that does not change about one feature. */
export const featurePageSchema = z
  .object({
    feature: featureId,
    hookName: z.string(),
    sampleTokens: count.describe('tokens of text that the figures come from'),
    fires: count,
    density: share,
    max: z.number(),
    mean: z.number().nullable(),
    singleToken: z.boolean(),
    quantiles: z.array(z.object({ probability: share, activation: z.number() })),
    histogram: z
      .object({ range: z.number(), counts: z.array(count) })
      .describe('activations where it fires, in equal bins over (0, range]'),
    tokens: z.array(
      z.object({
        ...tokenRef,
        active: count.describe('text positions with this token on which it fires'),
        occurrences: count,
        activationSum: z.number(),
        lift: z.number().describe('P(fires | token) / P(fires)'),
      }),
    ),
    tokensMissed: z.number().describe('the most activation that any token sum may lack; 0: exact'),
    topLogits: z.array(logitWeightSchema),
    bottomLogits: z.array(logitWeightSchema),
    logitStatistics: z
      .object({
        mean: z.number(),
        standardDeviation: z.number(),
        skewness: z.number(),
        kurtosis: z.number(),
      })
      .nullable(),
    logitHistogram: z.object({ low: z.number(), high: z.number(), counts: z.array(count) }).nullable(),
    coActive: z.array(
      z.object({
        feature: featureId,
        count,
        jaccard: share,
        pearson: z.number(),
        cosine: z.number(),
      }),
    ),
    coActiveMissed: count,
    alignedNeurons: z.array(z.object({ neuron: count, value: z.number(), l1: share })),
    correlatedNeurons: z.array(z.object({ neuron: count, pearson: z.number(), cosine: z.number() })),
    neighbours: z
      .array(z.object({ feature: featureId, cosine: z.number() }))
      .describe('nearest by cosine of decoder rows; empty without a map'),
    place: z
      .object({ x: z.number(), y: z.number(), order: count, cluster: count })
      .nullable()
      .describe('on the map; null for dead features and without a map'),
    intervals: count.describe('number of equal activation intervals that examples were drawn from'),
    examples: z
      .array(exampleSchema)
      .describe('top examples first, then those of the intervals, highest first'),
  })
  .openapi('FeaturePage')
export type FeaturePage = z.infer<typeof featurePageSchema>
