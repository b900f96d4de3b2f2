import type {
  ErrorBody,
  FeatureList,
  FeatureNotes,
  FeaturePage,
  FeatureQuery,
  NotesUpdate,
  RunList,
} from '../../src/server/protocol'

/** What the server said when it could not answer. */
export class ApiError extends Error {
  readonly code: string
  readonly hint: string | null
  readonly status: number

  constructor(status: number, { code, message, hint }: ErrorBody['error']) {
    super(message)
    this.status = status
    this.code = code
    this.hint = hint
  }
}

const root = '/api/v1'

async function request<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response
  try {
    response = await fetch(root + path, init)
  } catch (cause) {
    if (init?.signal?.aborted) throw cause
    const hint = 'Is monosem serve still running?'
    throw new ApiError(0, { code: 'offline', message: 'The server does not answer.', hint })
  }
  const body = await response.json().catch(() => null)
  if (response.ok) return body as T
  const unknown = { code: 'internal', message: `The server answered ${response.status}.`, hint: null }
  throw new ApiError(response.status, (body as ErrorBody | null)?.error ?? unknown)
}

/** A request that changes something or runs the model. */
export const send = <T>(
  method: 'POST' | 'PUT',
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<T> =>
  request<T>(path, {
    method,
    signal,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => request<T>(path, { signal })

/** Query parameters of what is set. */
export function queryString(query: Record<string, unknown>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()
  return text === '' ? '' : `?${text}`
}

export const getRuns = () => get<RunList>('/runs')

export const getFeatures = (run: string, query: FeatureQuery, signal?: AbortSignal) =>
  get<FeatureList>(`/runs/${run}/features${queryString(query)}`, signal)

export const getFeature = (run: string, feature: number) =>
  get<FeaturePage>(`/runs/${run}/features/${feature}`)

export const getNotes = (run: string, feature: number) =>
  get<FeatureNotes>(`/runs/${run}/features/${feature}/notes`)

export const putNotes = (run: string, feature: number, update: NotesUpdate) =>
  send<FeatureNotes>('PUT', `/runs/${run}/features/${feature}/notes`, update)
