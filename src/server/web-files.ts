import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { MonosemError } from '../errors/monosem-error.js'

/** The built app: contents by address. They are read once, so that no address of a request ever becomes a path. */
export type WebFiles = ReadonlyMap<string, { content: Buffer<ArrayBuffer>; type: string }>

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Where `npm run build` leaves the app. */
export const webDirectory = fileURLToPath(new URL('../../web', import.meta.url))

/** @throws MonosemError missing, when the app was not built */
export function readWebFiles(directory = webDirectory): WebFiles {
  try {
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
      (name) => types[extname(name)],
    )
    return new Map(
      names.map((name) => [
        `/${name}`,
        { content: readFileSync(join(directory, name)), type: types[extname(name)] },
      ]),
    )
  } catch (cause) {
    throw new MonosemError('missing', `${directory}: the browser app is not there`, {
      cause,
      hint: 'build it: npm run build',
    })
  }
}

/** Serves the app's files, and its page for every other address: the app knows its own addresses. */
export function addWebApp(app: OpenAPIHono, web: WebFiles): void {
  app.get('*', (c) => {
    const file = web.get(c.req.path)
    if (file)
      return c.body(file.content, 200, {
        'content-type': file.type,
        'cache-control': 'public, max-age=31536000, immutable',
      })
    const page = web.get('/index.html')
    if (!page) throw new MonosemError('missing', 'the browser app is not there', { hint: 'npm run build' })
    const html = page.content.toString('utf8').replace('<head>', '<head><base href="/">')
    return c.html(html, 200, { 'cache-control': 'no-cache' })
  })
}
