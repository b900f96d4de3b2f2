import type { Context, MiddlewareHandler } from 'hono'
import { refuse } from '../error-answer.js'

const reading: readonly string[] = ['GET', 'HEAD']

/**
 * Refuses what other sites make a browser send here (CSRF). Browsers say in Sec-Fetch-Site where a request comes from, and pages cannot
 * forge it; where it is missing (old browsers, curl) an Origin must be ours. Other sites may link to our pages, and do nothing else.
 * What changes something or runs the model must also be JSON, which no form can send.
 * @param forms addresses that take a form instead of JSON
 */
export function guardOrigin(forms: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    if (!isOurs(c))
      return refuse(c, 403, 'denied', 'this request comes from another site', {
        hint: 'open the app at its own address',
      })
    if (reading.includes(c.req.method)) return next()
    const expected = forms.includes(c.req.path) ? 'application/x-www-form-urlencoded' : 'application/json'
    const type = c.req.header('content-type')?.split(';')[0].trim().toLowerCase()
    if (type === expected) return next()
    return refuse(c, 415, 'config', `content-type: expected ${expected}, got ${type ?? 'nothing'}`)
  }
}

function isOurs(c: Context): boolean {
  const site = c.req.header('sec-fetch-site')
  if (site !== undefined) {
    const isLink = c.req.method === 'GET' && c.req.header('sec-fetch-mode') === 'navigate'
    return site === 'same-origin' || site === 'none' || isLink
  }
  const origin = c.req.header('origin')
  if (origin === undefined) return true
  return URL.canParse(origin) && new URL(origin).host === (c.req.header('host') ?? new URL(c.req.url).host)
}
