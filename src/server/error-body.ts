import { MonosemError } from '../errors/monosem-error.js'
import type { ErrorBody } from './protocol.js'

/** What a client hears of an error inside a stream, whose status was sent already. What nobody expected goes to standard error. */
export function failureBody(error: unknown): ErrorBody {
  if (error instanceof MonosemError)
    return { error: { code: error.code, message: error.message, hint: error.hint ?? null } }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return {
    error: { code: 'internal', message: 'the server failed at this request', hint: 'its log says more' },
  }
}
