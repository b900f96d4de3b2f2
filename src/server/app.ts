import { OpenAPIHono } from '@hono/zod-openapi'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, MonosemError } from '../errors/monosem-error.js'
import { errorBody, failureBody } from './error-body.js'
import { addAttributionRoutes } from './routes/attribution.js'
import { addFeatureRoutes } from './routes/features.js'
import { addMapRoutes } from './routes/map.js'
import { addNotesRoutes } from './routes/notes.js'
import { addRunRoutes } from './routes/runs.js'
import { addSpecificityRoutes } from './routes/specificity.js'
import { addSteerRoutes } from './routes/steer.js'
import { addTextRoutes } from './routes/text.js'
import type { ServedRuns } from './server-runs.js'
import { addWebApp, type WebFiles } from './web-files.js'

/** Status of the answer to a request that failed. */
const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  config: 400,
  missing: 404,
  busy: 503,
  interrupted: 503,
}

/** The whole server as a function from requests to answers; listening is another matter, see serve.ts. */
export function createApp(runs: ServedRuns, web: WebFiles): OpenAPIHono {
  const app = new OpenAPIHono()
  const api = new OpenAPIHono({
    defaultHook: (result, c) => {
      if (result.success) return undefined
      const [issue] = result.error.issues
      return c.json(errorBody('config', `${issue.path.join('.')}: ${issue.message}`, null), 400)
    },
  })
  addRunRoutes(api, runs)
  addFeatureRoutes(api, runs)
  addMapRoutes(api, runs)
  addNotesRoutes(api, runs)
  addTextRoutes(api, runs)
  addAttributionRoutes(api, runs)
  addSteerRoutes(api, runs)
  addSpecificityRoutes(api, runs)
  api.notFound((c) => c.json(errorBody('missing', `no such address: ${c.req.path}`, 'see /api'), 404))
  app.route('/api/v1', api)
  app.onError((error, c) => {
    const status = error instanceof MonosemError ? (statuses[error.code] ?? 500) : 500
    if (status === 503) c.header('retry-after', '5')
    return c.json(failureBody(error), status)
  })
  addWebApp(app, web)
  return app
}
