import { z } from '@hono/zod-openapi'

/*
 * What the server and the browser app say to each other, version 1. The schemas check requests, shape the answers, and the OpenAPI document is made
 * from them. The app imports types only.
 *
 * Text reaches the app as segments: pieces of text that can be read, mostly one token each, several where the bytes of one character are spread
 * over tokens. A segment's activation is the largest of its tokens'. Bytes that never become a character stand as ⟨d8⟩, a line end as ↵, a tab as ⇥.
 */

const count = z.int().min(0)
const share = z.number().min(0).max(1)
const featureId = z.int().min(0).describe('number of the feature, 0 .. F - 1')
const interval = z.tuple([z.number(), z.number()]).describe('95% confidence interval: low, high')

export const errorSchema = z
  .object({
    error: z.object({
      code: z.string().describe('what went wrong, for programs: missing, config, busy, corrupt, ...'),
      message: z.string().describe('what was expected and what came'),
      hint: z.string().nullable().describe('what to do about it'),
    }),
  })
  .openapi('Error')
export type ErrorBody = z.infer<typeof errorSchema>

// ---- runs

/** One served run directory. */
export const runInfoSchema = z
  .object({
    run: z.string().describe('short name, part of every address'),
    directory: z.string().describe('as it was given to the server'),
    hookName: z.string().describe('where in the model the activations come from'),
    features: count.describe('F, number of features'),
    context: count.nullable().describe('tokens that the model sees at once; null without a model'),
    has: z
      .object({
        model: z.boolean().describe('texts can be run, attributed and steered'),
        map: z.boolean(),
        explanations: z.boolean(),
        ablation: z.boolean(),
        relatives: z.boolean().describe('it was compared with other dictionaries'),
      })
      .describe('what the run directory holds besides its features'),
  })
  .openapi('Run')
export type RunInfo = z.infer<typeof runInfoSchema>

export const runListSchema = z
  .object({ version: z.string(), runs: z.array(runInfoSchema) })
  .openapi('RunList')
export type RunList = z.infer<typeof runListSchema>

/** A number from a file of the run: every figure can be traced. */
export const figureSchema = z
  .object({
    name: z.string().describe('name of the figure, e.g. explainedVariance'),
    label: z.string(),
    value: z.number().nullable().describe('null: not defined on this sample'),
    unit: z.enum(['count', 'share', 'nats', 'bits', 'rate', 'number']),
    interval: interval.nullable(),
    explanation: z.string().describe('one line: what the figure means'),
    source: z.string().describe('file and field that it comes from, e.g. eval/eval.json: explainedVariance'),
  })
  .openapi('Figure')
export type Figure = z.infer<typeof figureSchema>

/** A curve over training: columns of equal length. */
export const curveSchema = z
  .object({
    name: z.string().describe('e.g. loss'),
    tokens: z.array(z.number()).describe('training tokens so far'),
    values: z.array(z.number().nullable()),
  })
  .openapi('Curve')
export type Curve = z.infer<typeof curveSchema>

/** One autoencoder on the plane of sparsity and fidelity. */
export const frontierPointSchema = z
  .object({
    run: z.string(),
    name: z.string().describe('directory of the evaluation'),
    architecture: z.string(),
    features: count,
    l0: z.number(),
    lossRecovered: z.number().nullable(),
  })
  .openapi('FrontierPoint')
export type FrontierPoint = z.infer<typeof frontierPointSchema>

export const overviewSchema = z
  .object({
    run: runInfoSchema,
    corpus: z
      .object({
        figures: z.array(figureSchema),
        kinds: z.array(z.object({ name: z.string(), documents: count, bytes: count, tokens: count })),
      })
      .nullable(),
    model: z.object({ figures: z.array(figureSchema), curves: z.array(curveSchema) }).nullable(),
    sae: z
      .object({ architecture: z.string(), figures: z.array(figureSchema), curves: z.array(curveSchema) })
      .nullable(),
    evaluation: z.object({ figures: z.array(figureSchema) }).nullable(),
    density: z
      .object({
        edges: z.array(z.number()).describe('log10 of the share of tokens, one more than counts'),
        counts: z.array(count),
        dead: count,
        source: z.string(),
      })
      .nullable(),
    explanations: z.object({ figures: z.array(figureSchema) }).nullable(),
    caseStudies: z
      .array(
        z.object({
          name: z.string(),
          feature: featureId.nullable(),
          correlation: z.number().nullable(),
          precisionAboveHalfMax: share.nullable(),
          recall: share.nullable(),
          bestNeuronCorrelation: z.number().nullable(),
        }),
      )
      .nullable(),
    frontier: z.array(frontierPointSchema).describe('all evaluations of all served runs'),
    reports: z.array(
      z.object({ name: z.string(), href: z.string().describe('address below /api/v1/runs/{run}/') }),
    ),
    problems: z
      .array(z.object({ part: z.string(), message: z.string(), hint: z.string().nullable() }))
      .describe('parts that could not be read, and why: they are null above'),
  })
  .openapi('Overview')
export type Overview = z.infer<typeof overviewSchema>

// ---- text

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

const tokenRef = { id: count.describe('id in the vocabulary'), token: z.string() }

// ---- features

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

export const scoreSchema = z
  .object({
    scorer: z.string().describe('spearman, detection, fuzzing, ...'),
    value: z.number().nullable(),
    reason: z.string().nullable().describe('why there is no value'),
    n: count,
    details: z.record(z.string(), z.number()),
  })
  .openapi('Score')

export const explanationSchema = z
  .object({
    id: count,
    text: z.string(),
    explainer: z.string().describe('method and model: statistics, anthropic:..., or user'),
    created: z.string().describe('ISO 8601, UTC'),
    scores: z.array(scoreSchema),
    hasExamples: z.boolean().describe('the examples it was scored on were kept'),
  })
  .openapi('Explanation')
export type Explanation = z.infer<typeof explanationSchema>

/** What people and programs said about one feature: the part of its page that changes. */
export const featureNotesSchema = z
  .object({
    feature: featureId,
    label: z.string().nullable().describe("the user's name for it"),
    note: z.string().nullable().describe("the user's own words"),
    explanations: z.array(explanationSchema).describe('newest of each explainer, without labels'),
  })
  .openapi('FeatureNotes')
export type FeatureNotes = z.infer<typeof featureNotesSchema>

export const notesUpdateSchema = z
  .object({
    label: z.string().max(200).nullable().describe('null or empty removes it'),
    note: z.string().max(10_000).nullable(),
  })
  .strict()
  .openapi('NotesUpdate')
export type NotesUpdate = z.infer<typeof notesUpdateSchema>

/** The held-out examples that an explanation was scored on, with what it predicted. */
export const scoredExamplesSchema = z
  .object({
    explanation: count,
    examples: z.array(
      z.object({
        group: z.string().describe('top, interval, random, out-of-context, ...'),
        interval: z.int().nullable(),
        document: count,
        position: count,
        focus: count,
        segments: z.array(z.string()),
        activations: z.array(z.number()).describe('quantised, 0 to 9'),
        predictions: z.array(z.number()).nullable().describe('quantised, 0 to 9; null: not kept'),
      }),
    ),
  })
  .openapi('ScoredExamples')
export type ScoredExamples = z.infer<typeof scoredExamplesSchema>

export const featureNamesSchema = z
  .object({ names: z.array(z.object({ feature: featureId, name: z.string().nullable() })) })
  .openapi('FeatureNames')
export type FeatureNames = z.infer<typeof featureNamesSchema>

// ---- other dictionaries

/** A feature of one of several dictionaries that were compared, in the tree of what splits into what. */
const treeNodeSchema = z.object({
  size: count.describe('which dictionary: index into `sizes`; a child is in the next larger one'),
  feature: count.describe('its number there'),
  here: z.boolean().describe('the feature that was asked for'),
  fires: count.describe('tokens that it fired on'),
  fate: z
    .string()
    .describe(
      'what becomes of it in the next larger dictionary: kept, split, lost, last, underpowered, dead',
    ),
  cosine: z.number().nullable().describe('with its parent: of the decoder rows'),
  correlation: z.number().nullable().describe('with its parent: of the activations'),
  tokens: z.array(z.string()).describe('those with the largest shares of its activation'),
  explanation: z.string().nullable(),
  hidden: count.describe('children that are left out here'),
})

export const featureTreeSchema = z
  .object({
    sizes: z.array(count).describe('F of each dictionary, smallest first'),
    nodes: z
      .array(treeNodeSchema)
      .describe('the root first, each followed by all below it; depth is the size'),
  })
  .openapi('FeatureTree')
export type FeatureTree = z.infer<typeof featureTreeSchema>

/** The feature of another model's dictionary that is most like this one. */
export const partnerSchema = z
  .object({
    comparison: z.string().describe('directory of the comparison in the run'),
    other: z
      .string()
      .describe('directory of the run, or of what stands for it, that holds the other dictionary'),
    feature: count.describe('its number there'),
    correlation: z
      .number()
      .describe('of the activations over the same tokens (Pearson), where partners were chosen'),
    heldOut: z
      .number()
      .nullable()
      .describe('the same on text that did not choose; null where one of them never fired'),
    logitSimilarity: z.number().nullable().describe('of the logit weights of the two'),
    byLogits: z
      .object({ feature: count, similarity: z.number() })
      .nullable()
      .describe('the partner by logit weights; null where these do not exist'),
    mutual: z.boolean().describe('this feature is the partner of its partner'),
    tokens: z.array(z.string()).describe('that it fires on most; empty without its feature store'),
    max: z.number(),
    examples: z.array(exampleSchema).describe('its top examples; empty without its feature store'),
    missing: z
      .string()
      .nullable()
      .describe('how to make the feature store of the other dictionary where it is not there'),
  })
  .openapi('Partner')
export type Partner = z.infer<typeof partnerSchema>

export const relativesSchema = z
  .object({
    tree: featureTreeSchema
      .nullable()
      .describe('null: the run has no comparison of dictionary sizes that this one is part of'),
    partners: z
      .array(partnerSchema)
      .describe('one for each comparison with another model in which it has one'),
    withoutPartner: z
      .array(z.string())
      .describe('comparisons in which it fired too seldom, or nothing was like it'),
  })
  .openapi('Relatives')
export type Relatives = z.infer<typeof relativesSchema>

// ---- map

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

// ---- running the model

const textField = z
  .string()
  .min(1)
  .max(20_000)
  .describe('longer texts than the context are cut, which is said')

const segmentSchema = z.object({ text: z.string(), tokens: z.array(count).describe('ids') })

export const textRequestSchema = z
  .object({
    text: textField,
    features: z.array(featureId).max(32).default([]).describe('features to trace through the text'),
    top: z.int().min(0).max(50).default(8).describe('strongest features to name for each segment'),
    limit: z.int().min(0).max(500).default(50).describe('features to rank over the whole text'),
  })
  .strict()
  .openapi('TextRequest')
export type TextRequest = z.input<typeof textRequestSchema>

const nextTokenSchema = z.object({ ...tokenRef, probability: share })

export const textRunSchema = z
  .object({
    segments: z.array(
      segmentSchema.extend({
        loss: z
          .number()
          .nullable()
          .describe('-log p of its tokens given what stands before, nats; null where not known'),
        top: z.array(z.object({ feature: featureId, activation: z.number() })),
      }),
    ),
    truncated: z.boolean().describe('the text is longer than the context; only its beginning was run'),
    tokens: count.describe('tokens that were run, without the opening start-of-text token'),
    context: count,
    features: z
      .array(
        z.object({
          feature: featureId,
          name: z.string().nullable(),
          activation: z.number().describe('largest on this text'),
          relative: z.number().nullable().describe('the same as a share of its maximum in the store'),
          segment: count.describe('where'),
          segments: count.describe('on how many it fires'),
        }),
      )
      .describe('largest relative activation first'),
    traces: z.array(
      z.object({
        feature: featureId,
        max: z.number().describe('in the store; 0 where it never fired there'),
        activations: z.array(z.number()).describe('of each segment'),
      }),
    ),
    next: z.array(nextTokenSchema).describe('most probable tokens after the text'),
  })
  .openapi('TextRun')
export type TextRun = z.infer<typeof textRunSchema>

export const attributionRequestSchema = z
  .object({
    text: textField,
    target: z.union([z.int().min(0), z.string().min(1)]).describe('the next token: its id, or its text'),
    against: z
      .union([z.int().min(0), z.string().min(1)])
      .nullable()
      .default(null)
      .describe('attribute the difference of the logits of target and this'),
    top: z.int().min(1).max(200).default(30),
    verify: z.int().min(0).max(20).default(0).describe('how many to check by really taking them out'),
  })
  .strict()
  .openapi('AttributionRequest')
export type AttributionRequest = z.input<typeof attributionRequestSchema>

export const attributionSchema = z
  .object({
    segments: z.array(segmentSchema),
    truncated: z.boolean(),
    target: nextTokenSchema,
    value: z.number().describe('of the metric: the centred logit, or the difference of logits'),
    total: z.number().describe('sum of gradient x activation over all features'),
    error: z.number().describe('the same of what no feature explains'),
    features: z.array(
      z.object({
        feature: featureId,
        name: z.string().nullable(),
        segment: count.describe('where it fires'),
        activation: z.number(),
        gradientTimesActivation: z.number(),
        direct: z.number().nullable(),
        ablation: z.number().nullable().describe('what really happens without it; null: not checked'),
      }),
    ),
  })
  .openapi('Attribution')
export type Attribution = z.infer<typeof attributionSchema>

export const steerRequestSchema = z
  .object({
    prompt: z.string().max(20_000),
    edits: z
      .array(
        z
          .object({
            feature: featureId,
            mode: z.enum(['clamp', 'add', 'ablate']).default('clamp'),
            strength: z.number().min(-100).max(100).default(1).describe("in units of the feature's maximum"),
          })
          .strict(),
      )
      .min(1)
      .max(16),
    scope: z.enum(['all', 'generated']).default('all').describe('which tokens are steered'),
    maxTokens: z.int().min(1).max(512).default(64),
    temperature: z.number().min(0).max(5).default(0.8).describe('0: always the most probable token'),
    topP: z.number().min(0).max(1).default(1),
    seed: z.int().min(0).default(0),
  })
  .strict()
  .openapi('SteerRequest')
export type SteerRequest = z.input<typeof steerRequestSchema>

const moverSchema = z.object({ ...tokenRef, before: share, after: share })
const judgementSchema = z.object({
  tokens: count,
  loss: z.number().nullable().describe('of the written tokens under the unsteered model, nats per token'),
  klDivergence: z.number().nullable().describe('KL(steered || unsteered), nats per token'),
})

/** Events of a steered run, in this order: queued*, start, next, text*, done; or error in place of what is left. */
export const steerEventSchema = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('queued'), ahead: count.describe('runs before this one') }),
    z.object({ type: z.literal('start'), truncated: z.boolean() }),
    z.object({
      type: z.literal('next'),
      klDivergence: z.number().describe('KL(unsteered || steered) of the token after the prompt, nats'),
      up: z.array(moverSchema),
      down: z.array(moverSchema),
    }),
    z.object({
      type: z.literal('text'),
      side: z.enum(['unsteered', 'steered']),
      text: z.string().describe('whole characters only: bytes wait for the rest of theirs'),
    }),
    z.object({ type: z.literal('done'), unsteered: judgementSchema, steered: judgementSchema }),
    errorSchema.extend({ type: z.literal('error') }),
  ])
  .openapi('SteerEvent')
export type SteerEvent = z.infer<typeof steerEventSchema>

export const conceptSchema = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('script'), script: z.string().max(40).describe('e.g. Arabic') }).strict(),
    z
      .object({
        kind: z.literal('regex'),
        regex: z.string().min(1).max(200).describe('RE2 syntax: it cannot run for ever'),
        ignoreCase: z.boolean().default(false),
      })
      .strict(),
    z
      .object({ kind: z.literal('named'), name: z.string().max(40).describe('arabic, hebrew, dna, base64') })
      .strict(),
  ])
  .openapi('Concept')
export type Concept = z.infer<typeof conceptSchema>

export const specificityRequestSchema = z
  .object({
    concept: conceptSchema,
    tokens: z.int().min(1000).max(1_000_000).default(100_000).describe('tokens of text to measure on'),
  })
  .strict()
  .openapi('SpecificityRequest')
export type SpecificityRequest = z.input<typeof specificityRequestSchema>

/** How well a feature tracks a concept, by level of activation. */
export const specificitySchema = z
  .object({
    feature: featureId,
    source: z
      .enum(['measured', 'case-study'])
      .describe(
        "case-study: from the run's case studies, on text that did not choose the feature; its levels overlap, each up to the maximum, and are shares of the maximum in the store; there are no columns",
      ),
    concept: z.string(),
    description: z.string(),
    reason: z.string().nullable().describe('why there is nothing to see'),
    tokens: count,
    positives: count.describe('tokens on which the concept holds'),
    fires: count,
    correlation: z.number().nullable(),
    levels: z.array(
      z.object({
        above: z.number().describe('activations from here'),
        to: z.number(),
        tokens: count,
        holds: share.nullable().describe('share of them on which the concept holds'),
        logLikelihoodRatio: z.number().nullable().describe('natural logarithm'),
      }),
    ),
    columns: z
      .object({ holds: z.array(count), others: z.array(count) })
      .describe('equal intervals of (0, max]'),
    max: z.number(),
  })
  .openapi('Specificity')
export type Specificity = z.infer<typeof specificitySchema>

export const specificityListSchema = z
  .object({ measured: z.array(specificitySchema) })
  .openapi('SpecificityList')
export type SpecificityList = z.infer<typeof specificityListSchema>
