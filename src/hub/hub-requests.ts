import { setTimeout } from 'node:timers/promises'
import { datasetInfo, listFiles, modelInfo } from '@huggingface/hub'
import { MonosemError } from '../errors/monosem-error.js'
import { throwIfInterrupted } from '../progress/progress.js'
import { type HubFile, isHubFile } from './hub-cache.js'
import type { HubSettings } from './hub-settings.js'
import type { HubPlace } from './source-name.js'

/** Questions to the hub about one repository. */
export interface HubRequests {
  repository: string
  /** Commit that a branch, tag or commit stands for. @throws MonosemError missing, remote, interrupted */
  findCommit(revision: string): Promise<string>
  /** All files of a commit. @throws MonosemError as `findCommit`, and format (an answer that makes no sense) */
  listTree(commit: string): Promise<HubFile[]>
  /** The bytes of a file from `start` on. @throws MonosemError as `findCommit` */
  open(commit: string, path: string, start: number): Promise<Response>
}

/** Attempts for answers that may be better a moment later. */
const ATTEMPTS = 4
/** Milliseconds before the second attempt; doubled before each further one. */
const FIRST_WAIT = 250

/** Makes the requests about one repository; every failure is a MonosemError. */
export function createHubRequests(place: HubPlace, settings: HubSettings): HubRequests {
  const { repository } = place
  const ask = createFetch(place, settings)
  const call = { fetch: ask as typeof fetch, hubUrl: settings.endpoint }
  const repo = { type: place.type, name: repository }
  return {
    repository,
    async findCommit(revision) {
      const question = { ...call, name: repository, revision, additionalFields: ['sha'] as ['sha'] }
      const { sha } = place.type === 'model' ? await modelInfo(question) : await datasetInfo(question)
      if (typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha)) return sha
      throw badAnswer(settings, `a commit of ${repository}`, sha)
    },
    async listTree(commit) {
      const files: HubFile[] = []
      for await (const entry of listFiles({ ...call, repo, revision: commit, recursive: true })) {
        if (entry.type !== 'file') continue
        const { path, lfs } = entry
        const file = {
          path,
          size: lfs?.size ?? entry.size,
          gitHash: entry.oid ?? '',
          sha256: lfs?.oid ?? null,
        }
        if (!isHubFile(file)) throw badAnswer(settings, 'files with size and hash', entry)
        files.push(file)
      }
      return files
    },
    open(commit, path, start) {
      const prefix = place.type === 'dataset' ? 'datasets/' : ''
      const encoded = path.split('/').map(encodeURIComponent).join('/')
      return ask(`${settings.endpoint}/${prefix}${repository}/resolve/${commit}/${encoded}`, {
        // Compressed answers have neither the length nor the ranges of the file.
        headers: { 'Accept-Encoding': 'identity', ...(start > 0 ? { Range: `bytes=${start}-` } : {}) },
      })
    },
  }
}

function badAnswer({ endpoint }: HubSettings, expected: string, got: unknown): MonosemError {
  return new MonosemError('format', `${endpoint}: expected ${expected}, got ${JSON.stringify(got)}`, {
    hint: 'does HF_ENDPOINT name a hub?',
  })
}

type Ask = (url: string, init?: RequestInit) => Promise<Response>

/** fetch with the token, several attempts, and failures in our own words. The token goes to the hub alone, to no host that it names. */
function createFetch(place: HubPlace, settings: HubSettings): Ask {
  const { token, endpoint, signal } = settings
  const origin = new URL(endpoint).origin
  return async (url, init = {}) => {
    const headers = new Headers(init.headers)
    if (token !== null && new URL(url).origin === origin) headers.set('Authorization', `Bearer ${token}`)
    for (let attempt = 1; ; attempt++) {
      throwIfInterrupted(signal)
      const answer = await fetch(url, { ...init, headers, signal }).catch((cause: unknown) => cause)
      throwIfInterrupted(signal)
      if (answer instanceof Response && (answer.ok || answer.status === 416)) return answer
      if (attempt < ATTEMPTS && mayPass(answer)) {
        await setTimeout(FIRST_WAIT * 2 ** (attempt - 1), undefined, { signal }).catch(() => {})
        continue
      }
      throw answer instanceof Response
        ? await refusal(answer, place, settings)
        : unreachable(answer, settings)
    }
  }
}

/** A name that does not resolve or a port that refuses stays so for a while; a cut connection or an overloaded server may not. */
function mayPass(answer: unknown): boolean {
  if (answer instanceof Response) return answer.status >= 500 || answer.status === 429
  return !['ENOTFOUND', 'ECONNREFUSED', 'EAI_AGAIN', 'ENETUNREACH', 'ERR_INVALID_URL'].includes(
    codeOf(answer),
  )
}

const codeOf = (error: unknown): string => {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } }
  return String(cause?.code ?? code ?? '')
}

/** No connection at all. */
export function unreachable(cause: unknown, { endpoint }: HubSettings): MonosemError {
  const reason = codeOf(cause) || (cause instanceof Error ? cause.message : String(cause))
  return new MonosemError('remote', `${endpoint} cannot be reached (${reason})`, {
    cause,
    hint: 'without a network, use what the cache has with HF_HUB_OFFLINE=1, or copy the directory of the model here and name it',
  })
}

async function refusal(answer: Response, place: HubPlace, settings: HubSettings): Promise<MonosemError> {
  const { status, headers } = answer
  const code = headers.get('X-Error-Code') ?? ''
  const said = headers.get('X-Error-Message') ?? ''
  await answer.body?.cancel()
  const { endpoint, token, revision } = settings
  const id = place.repository
  const page = `${endpoint}/${place.type === 'dataset' ? 'datasets/' : ''}${id}`
  const error = (kind: 'missing' | 'remote', message: string, hint: string) =>
    new MonosemError(kind, `${message}${said ? ` (${said})` : ''}`, { hint })
  if (code === 'GatedRepo' || status === 403)
    return error(
      'remote',
      `${id}: the hub refuses access (${status})`,
      token === null
        ? `accept its licence at ${page}, then set HF_TOKEN to a token of yours`
        : `accept its licence at ${page}; is the token allowed to read it?`,
    )
  if (status === 401 && token !== null && code !== 'RepoNotFound')
    return error(
      'remote',
      `${id}: the hub does not accept the token (401)`,
      'check HF_TOKEN, or log in again',
    )
  if (code === 'RevisionNotFound')
    return error(
      'missing',
      `${id}: no branch, tag or commit ${revision}`,
      `see ${page}/tree/main for what there is`,
    )
  if (code === 'EntryNotFound')
    return error('missing', `${id}: no file ${answer.url}`, `see ${page}/tree/main`)
  if (status === 404 || status === 401)
    return error(
      'missing',
      `${id}: no such directory here, and no such repository on ${endpoint}`,
      'check the spelling; if the repository is private, set HF_TOKEN',
    )
  if (status === 429) return error('remote', `${endpoint}: too many requests (429)`, 'wait some minutes')
  return error(
    'remote',
    `${endpoint} answers ${status}`,
    'try again later, or use the cache with HF_HUB_OFFLINE=1',
  )
}
