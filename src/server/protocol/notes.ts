import { z } from '@hono/zod-openapi'
import { count, featureId } from './common.js'

// What was said about features: explanations, labels, notes.

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
