import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { accepts } from 'hono/accepts'
import { MonosemError } from '../errors/monosem-error.js'
import { etagOf } from './stored-answer.js'

/** A file of the app, in memory. */
export interface WebFile {
  content: Buffer<ArrayBuffer>
  /** the same, compressed when the server starts and not at every request */
  gzipped: Buffer<ArrayBuffer>
  type: string
  etag: string
}

/** The built app: files by address. They are read once, so that no address of a request ever becomes a path. */
export type WebFiles = ReadonlyMap<string, WebFile>

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Where `npm run build` leaves the app. */
const webDirectory = fileURLToPath(new URL('../../web', import.meta.url))

/** @throws MonosemError missing, when the app was not built */
export function readWebFiles(directory = webDirectory): WebFiles {
  try {
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    return new Map(
      names
        .filter((name) => types[extname(name)])
        .map((name) => [`/${name}`, webFile(readFileSync(join(directory, name)), types[extname(name)])]),
    )
  } catch (cause) {
    throw new MonosemError('missing', `${directory}: the browser app is not there`, {
      cause,
      hint: 'build it: npm run build',
    })
  }
}

/** @param type of HTTP */
function webFile(read: Buffer<ArrayBuffer>, type: string): WebFile {
  // The pages name their files relative to the start page, so that an exported site works in any folder.
  const content = type.startsWith('text/html')
    ? Buffer.from(read.toString('utf8').replace('<head>', '<head><base href="/">'))
    : read
  const etag = etagOf(content)
  return { content, gzipped: Buffer.from(gzipSync(content, { level: 9 })), type, etag }
}

/** Files that may be kept for ever: their names change with their content. */
const isHashed = (path: string): boolean => path.startsWith('/assets/')

const isPage = (path: string): boolean => path.endsWith('.html')

/** Whether an address is a file of the app, which is the same for everyone and tells nothing about the runs. */
export const isAppFile = (web: WebFiles, path: string): boolean => web.has(path) && !isPage(path)

/** HTML of the login page. @throws MonosemError missing, when the app was not built */
export const loginPage = (web: WebFiles): string => pageNamed(web, '/login.html').content.toString('utf8')

/** Serves the app's files, and its page for every other address: the app knows its own addresses. */
export function addWebApp(app: OpenAPIHono, web: WebFiles): void {
  app.get('*', (c) => {
    const { path } = c.req
    if (isAppFile(web, path)) return sendFile(c, pageNamed(web, path), isHashed(path))
    // A file of an earlier build is gone: a page in its place would only be a stranger error.
    if (isHashed(path)) return c.notFound()
    return sendFile(c, pageNamed(web, '/index.html'), false)
  })
}

function pageNamed(web: WebFiles, path: string): WebFile {
  const file = web.get(path)
  if (file) return file
  throw new MonosemError('missing', 'the browser app is not there', { hint: 'build it: npm run build' })
}

function sendFile(c: Context, file: WebFile, forEver: boolean): Response {
  const headers = {
    'cache-control': forEver ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
    etag: file.etag,
  }
  if (c.req.header('if-none-match')?.includes(file.etag)) return c.body(null, 304, headers)
  const encoding = accepts(c, {
    header: 'Accept-Encoding',
    supports: ['gzip', 'identity'],
    default: 'identity',
  })
  const typed = { ...headers, 'content-type': file.type }
  return encoding === 'gzip'
    ? c.body(file.gzipped, 200, { ...typed, 'content-encoding': 'gzip' })
    : c.body(file.content, 200, typed)
}
