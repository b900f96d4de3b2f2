import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { requireRunner } from '../model/model-runner.js'
import { describePass, passOver } from '../model/text-run.js'
import { textRequestSchema, textRunSchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, body, runParams } from './describe.js'

/** The model on the user's own text. */
export function addTextRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'post',
      path: '/runs/{run}/text',
      summary: 'Run a text: the features that fire on it, its loss, what the model expects next',
      request: { params: runParams, body: body(textRequestSchema) },
      responses: answers(textRunSchema, 'the text by segments'),
    }),
    async (c) => {
      const run = runNamed(runs, c.req.valid('param').run)
      const runner = requireRunner(run)
      const request = c.req.valid('json')
      const loaded = await runner.load()
      const options = { lane: 'text', signal: c.req.raw.signal } as const
      // Described within its turn: many answers that are put together at once would hold up all else.
      const found = await runner.queue.run(options, async () =>
        describePass(await passOver(loaded, request.text), loaded, run.notes.names(), request),
      )
      return c.json(found, 200)
    },
  )
}
