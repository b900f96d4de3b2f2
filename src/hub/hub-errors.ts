import { MonosemError } from '../errors/monosem-error.js'
import type { HubSettings } from './hub-settings.js'
import type { HubPlace } from './source-name.js'

/** An answer that no hub gives. */
export function badAnswer({ endpoint }: HubSettings, expected: string, got: unknown): MonosemError {
  return new MonosemError('format', `${endpoint}: expected ${expected}, got ${JSON.stringify(got)}`, {
    hint: 'does HF_ENDPOINT name a hub?',
  })
}

/** What the library makes of an answer; that it cannot read it is a bad answer. @throws MonosemError format */
export async function orBadAnswer<T>(answer: Promise<T>, settings: HubSettings): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    if (cause instanceof MonosemError) throw cause
    throw badAnswer(settings, "the hub's JSON", cause instanceof Error ? cause.message : String(cause))
  }
}

/** The system's code of an error, or ''. */
export const codeOf = (error: unknown): string => {
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

/** An answer that is no success, by its status and the hub's own codes. */
export async function refusal(
  answer: Response,
  place: HubPlace,
  settings: HubSettings,
): Promise<MonosemError> {
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
