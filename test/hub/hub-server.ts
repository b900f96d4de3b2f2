import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

/** A file of a repository on the server. */
export interface ServedFile {
  content: Uint8Array
  /** in large file storage: behind a redirect to another host, named by its SHA-256 */
  lfs?: boolean
}

/** What a test's hub holds and how it misbehaves. */
export interface HubState {
  /** by `models/owner/name` or `datasets/owner/name`: files of each commit, and branches and tags */
  repositories: Record<
    string,
    {
      commits: Record<string, Record<string, ServedFile>>
      refs: Record<string, string>
      token?: string
      gated?: boolean
    }
  >
  /** every request: method-less, e.g. `/owner/name/resolve/<commit>/config.json 0-`, with the token that came */
  requests: Array<{ url: string; range: string | null; token: string | null }>
  /** called first; answers the request itself when it returns true */
  misbehave?: (request: IncomingMessage, response: ServerResponse, file: ServedFile | null) => boolean
}

export interface TestHub extends HubState {
  endpoint: string
  close(): Promise<void>
}

export const sha = (algorithm: string, ...parts: (string | Uint8Array)[]): string => {
  const hash = createHash(algorithm)
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

export const gitHash = (content: Uint8Array): string => sha('sha1', `blob ${content.length}\0`, content)

/** Starts a server that speaks what `resolveSource` and Python's huggingface_hub ask: revisions, trees in pages, files with ranges. */
export async function startHub(t: TestContext, repositories: HubState['repositories']): Promise<TestHub> {
  const hub: TestHub = { repositories, requests: [], endpoint: '', close: async () => {} }
  const storage = createServer((request, response) => serveBlob(hub, request, response))
  const server = createServer((request, response) => answer(hub, portOf(storage), request, response))
  for (const each of [server, storage]) await new Promise<void>((done) => each.listen(0, '127.0.0.1', done))
  hub.endpoint = `http://127.0.0.1:${portOf(server)}`
  hub.close = async () => {
    for (const each of [server, storage]) {
      each.closeAllConnections()
      await new Promise((done) => each.close(done))
    }
  }
  t.after(hub.close)
  return hub
}

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port

function note(hub: HubState, request: IncomingMessage): void {
  const { range = null, authorization } = request.headers
  hub.requests.push({
    url: request.url ?? '',
    range,
    token: authorization?.replace('Bearer ', '') ?? null,
  })
}

function refuse(response: ServerResponse, status: number, code: string, message = ''): ServerResponse {
  response.writeHead(status, {
    'X-Error-Code': code,
    'X-Error-Message': message,
    'Content-Type': 'application/json',
  })
  return response.end(JSON.stringify({ error: message || code }))
}

function answer(
  hub: HubState,
  storagePort: number,
  request: IncomingMessage,
  response: ServerResponse,
): ServerResponse | undefined {
  note(hub, request)
  const url = new URL(request.url ?? '/', 'http://localhost')
  const api = /^\/api\/(models|datasets)\/((?:[^/]+\/)?[^/]+)\/(revision|tree)\/([^/]+)$/.exec(url.pathname)
  const resolve = /^\/(datasets\/)?((?:[^/]+\/)?[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname)
  const id = api ? `${api[1]}/${api[2]}` : `${resolve?.[1] ? 'datasets' : 'models'}/${resolve?.[2]}`
  const repository = hub.repositories[id]
  const revision = decodeURIComponent(api?.[4] ?? resolve?.[3] ?? '')
  const commit = repository?.refs[revision] ?? revision
  const files = repository?.commits[commit]
  const path = decodeURIComponent(resolve?.[4] ?? '')
  const file = files?.[path] ?? null
  if (hub.misbehave?.(request, response, file)) return undefined
  const token = request.headers.authorization
  if (!repository) return refuse(response, 401, 'RepoNotFound')
  if (token && repository.token && token !== `Bearer ${repository.token}`)
    return refuse(response, 401, '', 'Invalid credentials in Authorization header')
  if (repository.gated && !token) return refuse(response, 401, 'GatedRepo', 'Access is restricted')
  if (!files) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`)
  if (api?.[3] === 'revision') return json(response, { _id: '1', id: api[2], sha: commit, siblings: [] })
  if (api) return tree(files, url, response)
  if (!file) return refuse(response, 404, 'EntryNotFound')
  response.setHeader('X-Repo-Commit', commit)
  if (!file.lfs) {
    response.setHeader('ETag', `"${gitHash(file.content)}"`)
    return send(file.content, request, response)
  }
  const hash = sha('sha256', file.content)
  response.writeHead(302, {
    Location: `http://127.0.0.1:${storagePort}/${hash}`,
    'X-Linked-Etag': `"${hash}"`,
    'X-Linked-Size': file.content.length,
  })
  return response.end()
}

function json(
  response: ServerResponse,
  value: unknown,
  headers: Record<string, string> = {},
): ServerResponse {
  response.writeHead(200, { 'Content-Type': 'application/json', ...headers })
  return response.end(JSON.stringify(value))
}

const PAGE = 3

function tree(files: Record<string, ServedFile>, url: URL, response: ServerResponse): ServerResponse {
  const folders = new Set(Object.keys(files).flatMap((path) => path.split('/').slice(0, -1).join('/') || []))
  const entries = [
    ...[...folders].map((path) => ({ type: 'directory', path, size: 0, oid: '0'.repeat(40) })),
    ...Object.entries(files).map(([path, { content, lfs }]) => ({
      type: 'file',
      path,
      size: content.length,
      oid: lfs ? sha('sha1', 'pointer', content) : gitHash(content),
      ...(lfs ? { lfs: { oid: sha('sha256', content), size: content.length, pointerSize: 130 } } : {}),
    })),
  ]
  const from = Number(url.searchParams.get('cursor') ?? 0)
  url.searchParams.set('cursor', String(from + PAGE))
  const host = response.req.headers.host
  const more = from + PAGE < entries.length
  return json(response, entries.slice(from, from + PAGE), {
    ...(more ? { Link: `<http://${host}${url.pathname}${url.search}>; rel="next"` } : {}),
  })
}

/** The other host, which must never see the token. */
function serveBlob(hub: HubState, request: IncomingMessage, response: ServerResponse): void {
  note(hub, request)
  const hash = (request.url ?? '').slice(1)
  const all = Object.values(hub.repositories).flatMap(({ commits }) =>
    Object.values(commits).flatMap((files) => Object.values(files)),
  )
  const file = all.find(({ content }) => sha('sha256', content) === hash) ?? null
  if (hub.misbehave?.(request, response, file)) return
  if (file) send(file.content, request, response)
  else refuse(response, 404, 'EntryNotFound')
}

function send(content: Uint8Array, request: IncomingMessage, response: ServerResponse): ServerResponse {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const start = range ? Number(range[1]) : 0
  const end = range?.[2] ? Math.min(content.length, Number(range[2]) + 1) : content.length
  response.writeHead(range ? 206 : 200, {
    'Content-Length': end - start,
    'Accept-Ranges': 'bytes',
    ...(range ? { 'Content-Range': `bytes ${start}-${end - 1}/${content.length}` } : {}),
  })
  return response.end(request.method === 'HEAD' ? undefined : content.subarray(start, end))
}
