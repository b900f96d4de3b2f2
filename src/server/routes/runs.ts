import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { MonosemError } from '../../errors/monosem-error.js'
import { createOverviews } from '../overview/overview.js'
import { overviewSchema, runListSchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, runParams } from './describe.js'
import { sendStored } from './send-stored.js'

/** The served runs, the story of each, and its reports. */
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
  addOverview(api, runs)
  addReport(api, runs)
}

function addOverview(api: OpenAPIHono, runs: ServedRuns): void {
  const overviews = createOverviews()
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}',
      summary: "A run's story in figures: corpus, model, autoencoder, evaluation, explanations",
      request: { params: runParams },
      responses: answers(overviewSchema, 'each figure with the file that it comes from'),
    }),
    async (c) => {
      const run = runNamed(runs, c.req.valid('param').run)
      // The page is sent as it is stored: the type of the answer is checked by the tests.
      return sendStored(c, await overviews.get(run, [...runs.values()])) as never
    },
  )
}

/**
 * A report is no part of the app: its scripts run in a world of their own (`sandbox` without the server's origin), which can neither read answers
 * of this server nor reach anybody else.
 */
const reportPolicy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts"

function addReport(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: '/runs/{run}/reports/{name}',
      summary: 'A report of the run as it is, see the overview',
      request: { params: runParams.extend({ name: z.string().describe('last part of its address') }) },
      responses: answers(z.unknown(), 'an HTML page or JSON'),
    }),
    async (c) => {
      const { run, name } = c.req.valid('param')
      const { reports } = runNamed(runs, run)
      const report = reports.get(name)
      if (!report)
        throw new MonosemError('missing', `there is no report called ${name}`, {
          hint: reports.size > 0 ? `there are ${[...reports.keys()].join(', ')}` : 'this run has none',
        })
      const headers = { 'content-type': report.type, 'x-content-type-options': 'nosniff' }
      return c.body(await report.read(), 200, {
        ...headers,
        'content-security-policy': reportPolicy,
      }) as never
    },
  )
}
