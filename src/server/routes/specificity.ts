import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { requireFeature } from '../../sae/require-feature.js'
import { requireRunner } from '../model/model-runner.js'
import { runSpecificity } from '../model/specificity-run.js'
import { specificityListSchema, specificityRequestSchema, specificitySchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, body, featureParams } from './describe.js'

const path = '/runs/{run}/features/{feature}/specificity'

/** How well a feature tracks a concept. */
export function addSpecificityRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path,
      summary: 'Specificities of a feature that are known already',
      request: { params: featureParams },
      responses: answers(specificityListSchema, 'newest first, then the case studies of the run'),
    }),
    async (c) => {
      const { run: name, feature } = c.req.valid('param')
      const { store, model } = runNamed(runs, name)
      requireFeature(feature, store.summary.features)
      return c.json({ measured: model ? await model.specificity.of(feature) : [] }, 200)
    },
  )
  api.openapi(
    createRoute({
      method: 'post',
      path,
      summary: "Measure a feature's specificity for a concept on the run's text",
      request: { params: featureParams, body: body(specificityRequestSchema) },
      responses: answers(specificitySchema, 'by level of activation'),
    }),
    async (c) => {
      const { run: name, feature } = c.req.valid('param')
      const run = runNamed(runs, name)
      requireFeature(feature, run.store.summary.features)
      const { queue, load, corpus, specificity } = requireRunner(run)
      const request = c.req.valid('json')
      await corpus.check()
      const loaded = await load()
      const found = await queue.run({ lane: 'measure', signal: c.req.raw.signal }, (job) =>
        runSpecificity(loaded, corpus, feature, request, job),
      )
      specificity.add(found)
      return c.json(found, 200)
    },
  )
}
