import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, MonosemError } from '../errors/monosem-error.js'
import type { ErrorBody } from './protocol.js'

/** Status of the answer to a request that failed. */
const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  config: 400,
  missing: 404,
  busy: 503,
  interrupted: 503,
}

/** What the error is called, of answers that are no MonosemError. */
const codes: Partial<Record<number, string>> = { 400: 'config', 404: 'missing', 413: 'too-large' }

/** Answers with an error. @param code what went wrong, for programs */
export function refuse(
  c: Context,
  status: ContentfulStatusCode,
  code: string,
  message: string,
  { hint = null, headers }: { hint?: string | null; headers?: Record<string, string> } = {},
): Response {
  const body: ErrorBody = { error: { code, message, hint } }
  return c.json(body, status, headers)
}

/**
 * Answers to a request that failed. What nobody expected is written to the log and not into the answer: it may name files and code.
 * @param hidden absolute directories, each with the name that the user gave it and that may be told
 * @param log takes what the user of the server should know
 */
export function answerToError(
  hidden: ReadonlyMap<string, string>,
  log: (text: string) => void,
): (error: Error, c: Context) => Response {
  const told = (text: string): string => {
    let result = text
    for (const [directory, name] of hidden) result = result.replaceAll(directory, name)
    return result
  }
  return (error, c) => {
    if (error instanceof HTTPException)
      return refuse(c, error.status as ContentfulStatusCode, codes[error.status] ?? 'denied', error.message)
    const known = error instanceof MonosemError
    const status = known ? (statuses[error.code] ?? 500) : 500
    if (status === 500) log(`${c.req.method} ${JSON.stringify(c.req.path)}: ${error.stack ?? error.message}`)
    if (known)
      return refuse(c, status, error.code, told(error.message), {
        hint: error.hint ? told(error.hint) : null,
        headers: status === 503 ? { 'retry-after': '5' } : {},
      })
    return refuse(c, 500, 'internal', 'the server failed at this request', { hint: 'its log says more' })
  }
}
