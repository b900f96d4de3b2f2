import type { Context, MiddlewareHandler } from 'hono'
import { getCookie } from 'hono/cookie'
import { refuse } from '../error-answer.js'
import type { Attempts } from './attempts.js'
import { sameSecret } from './token.js'

/** How requests prove that they may be answered. */
export interface Login {
  /** for `Authorization: Bearer`, and to log in with */
  token: string
  /** name and value of the cookie of those who logged in; the value is made when the server starts, so that the token itself stays out of browsers */
  cookie: string
  session: string
  attempts: Attempts
}

/** The address that a request comes from; all the same where nothing listens. */
export function addressOf(c: Context): string {
  const incoming: { socket?: { remoteAddress?: string } } | undefined = c.env?.incoming
  return incoming?.socket?.remoteAddress ?? 'unknown'
}

export const tooManyAttempts = 'too many wrong tokens came from your address'

/**
 * Lets only those pass who know the token: as a bearer header, or by the cookie of a login. Others are sent to the login page where they
 * asked for a page.
 * @param isPublic addresses that everyone may see: the login page, and the app's own files
 */
export function guardToken(login: Login, isPublic: (path: string) => boolean): MiddlewareHandler {
  return async (c, next) => {
    if (isPublic(c.req.path)) return next()
    const cookie = getCookie(c, login.cookie)
    if (cookie !== undefined && sameSecret(cookie, login.session)) return next()
    const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (bearer === undefined) return askToLogIn(c)
    const address = addressOf(c)
    const wait = login.attempts.wait(address)
    if (wait > 0)
      return refuse(c, 429, 'denied', tooManyAttempts, {
        hint: `try again in ${wait} seconds`,
        headers: { 'retry-after': String(wait) },
      })
    if (sameSecret(bearer, login.token)) return next()
    login.attempts.failed(address)
    return refuse(c, 401, 'denied', 'the token is wrong', {
      hint: 'monosem serve printed it when it started',
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    })
  }
}

function askToLogIn(c: Context): Response {
  const wantsPage = c.req.method === 'GET' && c.req.header('accept')?.includes('text/html') === true
  if (wantsPage && !c.req.path.startsWith('/api/')) {
    const { pathname, search } = new URL(c.req.url)
    const next = pathname + search
    return c.redirect(next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`, 303)
  }
  return refuse(c, 401, 'denied', 'this server asks for a token', {
    hint: 'log in at /login, or send it as Authorization: Bearer',
    headers: { 'www-authenticate': 'Bearer' },
  })
}
