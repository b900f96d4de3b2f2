import { z } from '@hono/zod-openapi'
import { count, featureId, share } from './common.js'

// How well a feature tracks a concept.

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
