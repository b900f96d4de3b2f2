import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { featureListSchema, featurePageSchema, featureQuerySchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, featureParams, runParams } from './describe.js'

/** The list of features, and the page of each. */
export function addFeatureRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/features',
      summary: 'List, sort, filter and search features',
      request: { params: runParams, query: featureQuerySchema },
      responses: answers(featureListSchema, 'one page of the list'),
    }),
    async (c) => c.json(await runNamed(runs, c.req.valid('param').run).index.list(c.req.valid('query')), 200),
  )
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/features/{feature}',
      summary: 'Everything about one feature that does not change',
      request: { params: featureParams },
      responses: answers(featurePageSchema, 'its page'),
    }),
    async (c) => {
      const { run, feature } = c.req.valid('param')
      const { json, etag } = await runNamed(runs, run).pages.get(feature)
      // The page is sent as it is stored: the type of the answer is checked by the tests.
      return c.body(json, 200, { 'content-type': 'application/json', etag }) as never
    },
  )
}
