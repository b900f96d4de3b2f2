import { setTimeout } from 'node:timers/promises'
import { datasetInfo, type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub'
import { throwIfInterrupted } from '../progress/progress.js'
import { type HubFile, isHubFile } from './hub-cache.js'
import { badAnswer, codeOf, orBadAnswer, refusal, unreachable } from './hub-errors.js'
import type { HubSettings } from './hub-settings.js'
import { type HubPlace, isCommit } from './source-name.js'

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
      const info = place.type === 'model' ? modelInfo(question) : datasetInfo(question)
      const { sha } = await orBadAnswer(info, settings)
      if (typeof sha === 'string' && isCommit(sha)) return sha
      throw badAnswer(settings, `a commit of ${repository}`, sha)
    },
    listTree: (commit) =>
      orBadAnswer(
        collectFiles(listFiles({ ...call, repo, revision: commit, recursive: true }), settings),
        settings,
      ),
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

async function collectFiles(
  entries: AsyncIterable<ListFileEntry>,
  settings: HubSettings,
): Promise<HubFile[]> {
  const files: HubFile[] = []
  for await (const { type, path, size, oid, lfs } of entries) {
    if (type !== 'file') continue
    const file = { path, size: lfs?.size ?? size, gitHash: oid ?? '', sha256: lfs?.oid ?? null }
    if (!isHubFile(file)) throw badAnswer(settings, 'files with size and hash', file)
    files.push(file)
  }
  return files
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
