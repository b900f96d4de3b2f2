import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { requireFeature } from '../../sae/require-feature.js'
import { featureListSchema, featureNamesSchema, featurePageSchema, featureQuerySchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, featureParams, runParams } from './describe.js'
import { sendStored } from './send-stored.js'

/** Features that may be asked for at once. */
const mostNames = 500

const namesQuerySchema = z.object({
  ids: z
    .string()
    .regex(/^\d{1,9}(,\d{1,9})*$/, 'expected numbers of features with commas between them')
    .transform((ids) => ids.split(',').map(Number))
    .refine((ids) => ids.length <= mostNames, `expected at most ${mostNames} features`)
    .openapi({ type: 'string', description: `numbers of up to ${mostNames} features, e.g. 1,2,3` }),
})

/** The list of features, names, and the page of each. */
export function addFeatureRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/features',
      summary: 'List, sort, filter and search features',
      request: { params: runParams, query: featureQuerySchema },
      responses: answers(featureListSchema, 'one page of the list'),
    }),
    // Answers are sent as they are stored: their types are checked by the tests.
    async (c) => {
      const { index } = runNamed(runs, c.req.valid('param').run)
      return sendStored(c, await index.answer(c.req.valid('query'))) as never
    },
  )
  addNamesRoute(api, runs)
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
      return sendStored(c, await runNamed(runs, run).pages.get(feature)) as never
    },
  )
}

/** Has to come before the page of a feature: `names` is no number. */
function addNamesRoute(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/features/names',
      summary: 'What some features are called',
      request: { params: runParams, query: namesQuerySchema },
      responses: answers(featureNamesSchema, 'in the order asked for'),
    }),
    (c) => {
      const { info, notes } = runNamed(runs, c.req.valid('param').run)
      const known = notes.names()
      const names = c.req.valid('query').ids.map((feature) => {
        requireFeature(feature, info.features)
        return { feature, name: known.get(feature)?.name ?? null }
      })
      return c.json({ names }, 200)
    },
  )
}
