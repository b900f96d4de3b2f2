import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { runAttribution } from '../model/attribution-run.js'
import { requireRunner } from '../model/model-runner.js'
import { attributionRequestSchema, attributionSchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, body, runParams } from './describe.js'

/** Which features act for a next token. */
export function addAttributionRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'post',
      path: '/runs/{run}/attribution',
      summary: 'Attribute the next token to the features that fire on a text',
      request: { params: runParams, body: body(attributionRequestSchema) },
      responses: answers(attributionSchema, 'the features that act, strongest first'),
    }),
    async (c) => {
      const run = runNamed(runs, c.req.valid('param').run)
      const runner = requireRunner(run)
      const request = c.req.valid('json')
      const loaded = await runner.load()
      const options = { lane: 'text', signal: c.req.raw.signal } as const
      const found = await runner.queue.run(options, () => runAttribution(loaded, run.notes.names(), request))
      return c.json(found, 200)
    },
  )
}
