import type { APICallError } from 'ai'
import { MonosemError } from '../../errors/monosem-error.js'
import type { FailureKind } from './llm-usage.js'

/** A call that gave no answer. */
export interface CallFailure {
  kind: FailureKind
  reason: string
  /** whether another attempt may help */
  retry: boolean
  /** milliseconds that the server asks to wait */
  retryAfter: number | null
  /** no connection at all: not worth trying again for every feature */
  unreachable?: boolean
}

/**
 * Makes sense of what a provider of the AI SDK threw.
 * @throws MonosemError config (key refused, no credit), missing (no server, no such model): no other call would fare better. Errors of other
 *   origin are thrown on.
 */
export function callFailure(error: unknown): CallFailure {
  if (isApiCallError(error)) return apiFailure(error)
  // Answers of the right format that lack their content, e.g. one without any choice.
  if (
    error instanceof Error &&
    /^AI_(InvalidResponseData|EmptyResponseBody|NoContentGenerated)/.test(error.name)
  )
    return { kind: 'unavailable', reason: error.message, retry: true, retryAfter: null }
  throw error
}

function apiFailure(error: APICallError): CallFailure {
  const { statusCode: status } = error
  const reason = status === undefined ? error.message : `HTTP ${status}: ${shortened(error.message)}`
  if (status === 401 || status === 403)
    throw new MonosemError('config', `${error.url}: the server refuses the key (${reason})`, {
      cause: error,
      hint: 'check the API key in the environment, and what it gives access to',
    })
  if (status === 404)
    throw new MonosemError('missing', `${error.url}: no such model or address (${reason})`, {
      cause: error,
      hint: 'check the name of the model and --base-url',
    })
  if (/insufficient_quota|credit balance/i.test(`${error.message} ${error.responseBody ?? ''}`))
    throw new MonosemError('config', `${error.url}: the account has no credit (${reason})`, {
      cause: error,
      hint: "top it up on the provider's site, or use another model; answers so far are kept in the cache",
    })
  const code = status === undefined ? connectionError(error) : null
  if (code !== null)
    return {
      kind: 'unavailable',
      reason: `no connection to ${error.url} (${code})`,
      retry: true,
      retryAfter: null,
      unreachable: true,
    }
  // A success without a readable body was cut on its way.
  const broken = status !== undefined && status < 300
  if (broken || error.isRetryable)
    return { kind: 'unavailable', reason, retry: true, retryAfter: readRetryAfter(error.responseHeaders) }
  return { kind: 'rejected', reason, retry: false, retryAfter: null }
}

/** Not by instanceof: every provider may bring its own copy of the class. */
const isApiCallError = (error: unknown): error is APICallError =>
  error instanceof Error && error.name === 'AI_APICallError'

/** Why there was no connection; null when there was one. Node hides the code among causes, and in a list where a name has several addresses. */
function connectionError(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined && /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)$/.test(code)) return code
  return connectionError(error.cause)
}

/** On one line, and not too long for a message. */
export function shortened(message: string): string {
  const line = message.replaceAll(/\s+/g, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}

/** Milliseconds of Retry-After (seconds or a date) or retry-after-ms; null when there is none. */
function readRetryAfter(headers: Record<string, string> | undefined, now = Date.now()): number | null {
  const precise = Number.parseFloat(headers?.['retry-after-ms'] ?? '')
  if (precise >= 0) return precise
  const text = headers?.['retry-after']
  if (text === undefined) return null
  const wait = /^\s*[\d.]+\s*$/.test(text) ? 1000 * Number(text) : Date.parse(text) - now
  return Number.isFinite(wait) ? Math.max(0, wait) : null
}
