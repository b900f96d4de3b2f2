import type { OpenAPIHono } from '@hono/zod-openapi'
import { programVersion } from './program-version.js'
import { etagOf } from './stored-answer.js'

const description = `Answers about the runs that this server shows.

Errors are \`{ "error": { "code", "message", "hint" } }\`: 400 what was asked for makes no sense, 401 no token or the wrong one, 403 the request comes
from another site, 404 nothing is there, 413 more than 64 kB were sent, 415 not sent as JSON, 421 a name that the server does not answer to, 429 too
many wrong tokens, 500 the server failed, 503 busy.

Where an answer has an ETag, sending it back in If-None-Match gives 304 as long as nothing has changed.

Answers of type text/event-stream come piece by piece (server-sent events): each event is a line \`data: \` with one JSON object, then an empty line.
Closing the connection stops the run.

Servers that were started with a token want it as \`Authorization: Bearer\`.`

type Document = ReturnType<OpenAPIHono['getOpenAPI31Document']>

/** The group that an address belongs to: its first part after the run's name. */
function groupOf(path: string): string {
  const [part = 'runs'] = path.replace(/^\/api\/v1\/runs(\/\{run\})?\/?/, '').split('/')
  return part === '' ? 'runs' : part
}

/** What the API is, made from the routes of the app that it is part of. */
function openApiDocument(app: OpenAPIHono): Document {
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' })
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Monosem', version: programVersion(), description },
    servers: [{ url: '/' }],
    security: [{}, { token: [] }],
  })
  for (const [path, operations] of Object.entries(document.paths ?? {}))
    for (const [method, operation] of Object.entries(operations ?? {})) {
      const own = operation as { tags?: string[]; operationId?: string }
      own.tags ??= [groupOf(path)]
      own.operationId ??= `${method} ${path}`.replace(
        /\W+(\w)?/g,
        (_, first?: string) => first?.toUpperCase() ?? '',
      )
    }
  return document
}

/** Serves the document at /api/openapi.json. The routes must have been added. */
export function addOpenApi(app: OpenAPIHono): void {
  const json = JSON.stringify(openApiDocument(app))
  const etag = etagOf(json)
  app.get('/api/openapi.json', (c) => {
    const headers = { etag, 'cache-control': 'no-cache' }
    // Compression makes the tag a weak one, which still contains this.
    if (c.req.header('if-none-match')?.includes(etag)) return c.body(null, 304, headers)
    return c.body(json, 200, { ...headers, 'content-type': 'application/json' })
  })
}
