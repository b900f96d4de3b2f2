import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { setCookie } from 'hono/cookie'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { addressOf, type Login, tooManyAttempts } from './guard-token.js'
import { sameSecret } from './token.js'

/** Where the login page says what went wrong. */
const messagePlace = 'role="alert">'

/**
 * The login page, and what its form is sent to: the token once, in the body; a cookie answers for it from then on, until the browser or the
 * server is closed.
 * @param page HTML with an empty element of `role="alert"`
 */
export function addLoginRoutes(app: OpenAPIHono, login: Login, page: string): void {
  const show = (c: Context, status: ContentfulStatusCode, message = '', headers?: Record<string, string>) =>
    c.html(
      page.replace(messagePlace, () => messagePlace + message),
      status,
      {
        'cache-control': 'no-store',
        ...headers,
      },
    )
  app.get('/login', (c) => show(c, 200))
  app.post('/login', async (c) => {
    const address = addressOf(c)
    const wait = login.attempts.wait(address)
    if (wait > 0)
      return show(c, 429, `${tooManyAttempts}: try again in ${wait} seconds.`, {
        'retry-after': String(wait),
      })
    const { token } = await c.req.parseBody()
    if (typeof token === 'string' && sameSecret(token.trim(), login.token)) {
      setCookie(c, login.cookie, login.session, { httpOnly: true, sameSite: 'Strict', path: '/' })
      return c.redirect(ownAddress(c.req.query('next')), 303)
    }
    login.attempts.failed(address)
    return show(c, 401, 'That is not the token.')
  })
}

/** Where to go after the login: an address of this server, whatever was asked for. */
export function ownAddress(next: string | undefined): string {
  const here = 'http://here.invalid'
  if (next === undefined || !URL.canParse(next, here)) return '/'
  const { origin, pathname, search } = new URL(next, here)
  // A path that starts with two slashes would name another host.
  return origin === here ? pathname.replace(/^\/+/, '/') + search : '/'
}
