import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { mapSchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, runParams } from './describe.js'
import { sendStored } from './send-stored.js'

/** The map of all features. */
export function addMapRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/map',
      summary: 'Where all features lie, with their clusters',
      request: { params: runParams },
      responses: answers(mapSchema, 'columns by feature'),
    }),
    async (c) => sendStored(c, await runNamed(runs, c.req.valid('param').run).map.answer()) as never,
  )
}
