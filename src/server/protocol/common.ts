import { z } from '@hono/zod-openapi'

// What several parts of the protocol share.

export const count = z.int().min(0)
export const share = z.number().min(0).max(1)
export const featureId = z.int().min(0).describe('number of the feature, 0 .. F - 1')
export const interval = z.tuple([z.number(), z.number()]).describe('95% confidence interval: low, high')

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

export const tokenRef = { id: count.describe('id in the vocabulary'), token: z.string() }
