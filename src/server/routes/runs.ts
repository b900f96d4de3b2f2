import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { runListSchema } from '../protocol.js'
import type { ServedRuns } from '../server-runs.js'
import { answers } from './describe.js'

/** The served runs. */
export function addRunRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs',
      summary: 'The runs that this server shows',
      responses: answers(runListSchema, 'all of them'),
    }),
    (c) => c.json({ version: '1', runs: [...runs.values()].map(({ info }) => info) }, 200),
  )
}
