import { MonosemError } from '../errors/monosem-error.js'
import type { ErrorBody } from './protocol.js'

export const errorBody = (code: string, message: string, hint: string | null): ErrorBody => ({
  error: { code, message, hint },
})

/** What a client hears of an error; of one that is not ours, nothing of what happened inside. */
export const failureBody = (error: unknown): ErrorBody =>
  error instanceof MonosemError
    ? errorBody(error.code, error.message, error.hint ?? null)
    : errorBody('internal', 'the server failed at this request', 'its log says more')
