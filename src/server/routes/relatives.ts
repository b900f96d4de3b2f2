import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { requireFeature } from '../../sae/require-feature.js'
import { relativesSchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, featureParams } from './describe.js'

/** What a feature is in other dictionaries. */
export function addRelativesRoute(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/features/{feature}/relatives',
      summary: 'The feature across dictionary sizes, and its partners in dictionaries of other models',
      request: { params: featureParams },
      responses: answers(relativesSchema, 'from the comparisons of the run'),
    }),
    async (c) => {
      const { run, feature } = c.req.valid('param')
      const { store, relatives } = runNamed(runs, run)
      requireFeature(feature, store.summary.features)
      return c.json(await relatives.of(feature), 200)
    },
  )
}
