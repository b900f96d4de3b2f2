import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { scoredExampleOf } from '../pages/scored-example.js'
import { featureNotesSchema, notesUpdateSchema, scoredExamplesSchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, body, featureParams } from './describe.js'

const explanationParams = featureParams.extend({
  explanation: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .describe('id of an explanation'),
})

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
  addScoredExamples(api, runs)
}

function addScoredExamples(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/features/{feature}/explanations/{explanation}/examples',
      summary: 'The held-out examples that an explanation was scored on, and what it predicted',
      request: { params: explanationParams },
      responses: answers(scoredExamplesSchema, 'one after the other'),
    }),
    async (c) => {
      const { run, feature, explanation } = c.req.valid('param')
      const { notes, store } = runNamed(runs, run)
      const examples = await notes.examples(feature, explanation)
      return c.json(
        { explanation, examples: examples.map((one) => scoredExampleOf(one, store.tokenizer)) },
        200,
      )
    },
  )
}
