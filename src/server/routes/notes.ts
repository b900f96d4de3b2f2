import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { featureNotesSchema, notesUpdateSchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, body, featureParams } from './describe.js'

/** What people and programs said about a feature. */
export function addNotesRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/features/{feature}/notes',
      summary: 'Label, note and explanations of a feature',
      request: { params: featureParams },
      responses: answers(featureNotesSchema, 'what was said about it'),
    }),
    async (c) => {
      const { run, feature } = c.req.valid('param')
      return c.json(await runNamed(runs, run).notes.get(feature), 200)
    },
  )
  api.openapi(
    createRoute({
      method: 'put',
      path: '/runs/{run}/features/{feature}/notes',
      summary: 'Set the label and the note of a feature',
      request: { params: featureParams, body: body(notesUpdateSchema) },
      responses: answers(featureNotesSchema, 'what is said about it now'),
    }),
    async (c) => {
      const { run, feature } = c.req.valid('param')
      return c.json(await runNamed(runs, run).notes.put(feature, c.req.valid('json')), 200)
    },
  )
}
