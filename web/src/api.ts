import type {
  ErrorBody,
  FeatureList,
  FeatureMap,
  FeatureNotes,
  FeaturePage,
  FeatureQuery,
  NotesUpdate,
  Overview,
  RunList,
  TextRequest,
  TextRun,
} from '../../src/server/protocol'
import { isExport } from './source'

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

/** Where the API describes itself; all other addresses are below `root`. */
export const documentAddress = '/api/openapi.json'

async function request<T>(path: string, init?: RequestInit): Promise<T> {
  return (await respond(path, init)).json()
}

/** The answer to a request, where it is no error. @throws ApiError; AbortError when the signal is aborted */
export async function respond(path: string, init?: RequestInit): Promise<Response> {
  if (isExport) throw noModel()
  let response: Response
  try {
    response = await fetch(path === documentAddress ? path : root + path, init)
  } catch (cause) {
    if (init?.signal?.aborted) throw cause
    const hint = 'Is monosem serve still running?'
    throw new ApiError(0, { code: 'offline', message: 'The server does not answer.', hint })
  }
  if (response.ok) return response
  const body: ErrorBody | null = await response.json().catch(() => null)
  const unknown = { code: 'internal', message: `The server answered ${response.status}.`, hint: null }
  throw new ApiError(response.status, body?.error ?? unknown)
}

/** Pages offer nothing in an export that needs the server; should one do so all the same, it is told why. */
const noModel = () =>
  new ApiError(405, {
    code: 'missing',
    message: 'These are exported pages: there is no server that could do this.',
    hint: 'monosem serve shows the run with its model, and keeps labels and notes.',
  })

/** Options of a request with a body. */
export const sending = (method: 'POST' | 'PUT', body: unknown, signal?: AbortSignal): RequestInit => ({
  method,
  signal,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/** A request that changes something or runs the model. */
export const send = <T>(
  method: 'POST' | 'PUT',
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<T> => request<T>(path, sending(method, body, signal))

/** An answer of the server, or of the files of an exported site. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  if (!isExport) return request<T>(path, { signal })
  const { answer } = await import('./site/answer')
  return answer<T>(path, signal)
}

/** Query parameters of what is set. */
export function queryString(query: Record<string, unknown>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()
  return text === '' ? '' : `?${text}`
}

export const getRuns = () => get<RunList>('/runs')

export const getOverview = (run: string) => get<Overview>(`/runs/${run}`)

/** Address of a report. @param href as the overview says it */
export const reportAddress = (run: string, href: string): string =>
  isExport ? new URL(`data/${run}/${href}`, document.baseURI).href : `${root}/runs/${run}/${href}`

export const getFeatures = (run: string, query: FeatureQuery, signal?: AbortSignal) =>
  get<FeatureList>(`/runs/${run}/features${queryString(query)}`, signal)

export const getFeature = (run: string, feature: number) =>
  get<FeaturePage>(`/runs/${run}/features/${feature}`)

export const getNotes = (run: string, feature: number, signal?: AbortSignal) =>
  get<FeatureNotes>(`/runs/${run}/features/${feature}/notes`, signal)

export const putNotes = (run: string, feature: number, update: NotesUpdate) =>
  send<FeatureNotes>('PUT', `/runs/${run}/features/${feature}/notes`, update)

export const getMap = (run: string) => get<FeatureMap>(`/runs/${run}/map`)

export const runText = (run: string, request: TextRequest, signal: AbortSignal) =>
  send<TextRun>('POST', `/runs/${run}/text`, request, signal)
