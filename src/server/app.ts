import { OpenAPIHono } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { answerToError, refuse } from './error-answer.js'
import { addOpenApi } from './openapi.js'
import { addAttributionRoutes } from './routes/attribution.js'
import { addFeatureRoutes } from './routes/features.js'
import { addMapRoutes } from './routes/map.js'
import { addNotesRoutes } from './routes/notes.js'
import { addRelativesRoute } from './routes/relatives.js'
import { addRunRoutes } from './routes/runs.js'
import { addSpecificityRoutes } from './routes/specificity.js'
import { addSteerRoutes } from './routes/steer.js'
import { addTextRoutes } from './routes/text.js'
import { type Access, localAccess } from './security/access.js'
import { countAttempts } from './security/attempts.js'
import { guardHost } from './security/guard-host.js'
import { guardOrigin } from './security/guard-origin.js'
import { guardToken, type Login } from './security/guard-token.js'
import { safeHeaders } from './security/headers.js'
import { addLoginRoutes } from './security/login-routes.js'
import { randomToken } from './security/token.js'
import type { ServedRuns } from './server-runs.js'
import { addWebApp, isAppFile, loginPage, type WebFiles } from './web-files.js'

export interface AppOptions {
  /** default: `localhost`, without a token */
  access?: Access
  /** takes what went wrong unexpectedly; default: standard error */
  log?: (text: string) => void
}

/** Bytes of a request's body; the longest text that the protocol allows fits. */
const largestBody = 64 * 1024

/** The whole server as a function from requests to answers; listening is another matter, see serve.ts. */
export function createApp(runs: ServedRuns, web: WebFiles, options: AppOptions = {}): OpenAPIHono {
  const { access = localAccess, log = (text) => process.stderr.write(`${text}\n`) } = options
  const app = new OpenAPIHono()
  const shownPaths = new Map([...runs.values()].map(({ directory, info }) => [directory, info.directory]))
  app.onError(answerToError(shownPaths, log))
  app.notFound((c) => refuse(c, 404, 'missing', `no such address: ${c.req.path}`, { hint: 'see /api' }))
  addGuards(app, access, web)
  app.use('/api/*', compress())
  app.route('/api/v1', createApi(runs))
  addOpenApi(app)
  // `/api` itself is a page of the app.
  app.all('/api/:rest{.+}', (c) => c.notFound())
  addWebApp(app, web)
  return app
}

/** What every request must pass before anything is done for it. */
function addGuards(app: OpenAPIHono, access: Access, web: WebFiles): void {
  app.use(safeHeaders())
  app.use(guardHost(access))
  app.use(guardOrigin(access.token === null ? [] : ['/login']))
  app.on(['POST', 'PUT', 'PATCH', 'DELETE'], '*', bodyLimit({ maxSize: largestBody, onError: tooLarge }))
  if (access.token === null) return
  const login: Login = {
    token: access.token,
    cookie: access.cookie,
    session: randomToken(),
    attempts: countAttempts(),
  }
  app.use(guardToken(login, (path) => path === '/login' || isAppFile(web, path)))
  addLoginRoutes(app, login, loginPage(web))
}

const tooLarge: NonNullable<Parameters<typeof bodyLimit>[0]['onError']> = (c) =>
  refuse(c, 413, 'too-large', `the request is larger than ${largestBody} bytes`)

function createApi(runs: ServedRuns): OpenAPIHono {
  const api = new OpenAPIHono({
    defaultHook: (result, c) => {
      if (result.success) return undefined
      const [issue] = result.error.issues
      return refuse(c, 400, 'config', `${issue.path.join('.')}: ${issue.message}`)
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
  addRelativesRoute(api, runs)
  return api
}
