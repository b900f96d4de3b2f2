import { z } from '@hono/zod-openapi'
import { errorSchema } from '../protocol.js'

/** Parameters of addresses. */
export const runParams = z.object({ run: z.string().describe('name of a served run, see /runs') })
export const featureParams = runParams.extend({
  feature: z.coerce.number().int().min(0).describe('number of the feature'),
})

const jsonOf = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

/** Answers of a route: its own, and an error. */
export const answers = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  200: jsonOf(schema, description),
  default: jsonOf(errorSchema, 'what went wrong'),
})

/** Body of a request. */
export const body = <Schema extends z.ZodType>(schema: Schema) => ({
  content: { 'application/json': { schema } },
  required: true,
})
