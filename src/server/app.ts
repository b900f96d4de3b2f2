import { OpenAPIHono } from '@hono/zod-openapi'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, MonosemError } from '../errors/monosem-error.js'
import type { ErrorBody } from './protocol.js'
import { addFeatureRoutes } from './routes/features.js'
import { addNotesRoutes } from './routes/notes.js'
import { addRunRoutes } from './routes/runs.js'
import type { ServedRuns } from './server-runs.js'
import { addWebApp, type WebFiles } from './web-files.js'

/** Status of the answer to a request that failed. */
const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = { config: 400, missing: 404, busy: 503 }

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
  addNotesRoutes(api, runs)
  api.notFound((c) => c.json(errorBody('missing', `no such address: ${c.req.path}`, 'see /api'), 404))
  app.route('/api/v1', api)
  app.onError((error, c) => {
    if (error instanceof MonosemError)
      return c.json(errorBody(error.code, error.message, error.hint ?? null), statuses[error.code] ?? 500)
    return c.json(errorBody('internal', 'the server failed at this request', 'its log says more'), 500)
  })
  addWebApp(app, web)
  return app
}

const errorBody = (code: string, message: string, hint: string | null): ErrorBody => ({
  error: { code, message, hint },
})
