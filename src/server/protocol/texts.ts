import { z } from '@hono/zod-openapi'
import { count, featureId, share, tokenRef } from './common.js'

// The model on the reader's own text.

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
