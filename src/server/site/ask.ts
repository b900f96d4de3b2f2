import { type ErrorCode, MonosemError } from '../../errors/monosem-error.js'
import type { ErrorBody } from '../protocol.js'

/** Answers of the API as text. @param path below /api/v1 */
export type Ask = (path: string) => Promise<string>

/**
 * Asks the server's own API without a connection: what is exported is what the server would have answered.
 * @throws MonosemError what the API said
 */
export function askApp(app: { request(path: string): Response | Promise<Response> }): Ask {
  return async (path) => {
    const response = await app.request(`/api/v1${path}`)
    const text = await response.text()
    if (response.ok) return text
    const { error } = JSON.parse(text) as ErrorBody
    throw new MonosemError(error.code as ErrorCode, `${path}: ${error.message}`, {
      hint: error.hint ?? undefined,
    })
  }
}
