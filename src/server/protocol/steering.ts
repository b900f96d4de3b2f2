import { z } from '@hono/zod-openapi'
import { count, errorSchema, featureId, share, tokenRef } from './common.js'

// The model writing with features turned up or down.

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
