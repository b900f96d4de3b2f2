import type { MiddlewareHandler } from 'hono'
import { secureHeaders } from 'hono/secure-headers'

/** What no page of ours needs. */
const denied = ['camera', 'microphone', 'geolocation', 'usb', 'payment', 'serial', 'hid', 'midi'] as const

/**
 * Headers of every answer, errors included: scripts, styles and data come from this server alone, nobody may put the pages into a frame,
 * other sites learn nothing from a visit. No Strict-Transport-Security: the server speaks plain HTTP.
 */
export function safeHeaders(): MiddlewareHandler {
  const secure = secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
    xFrameOptions: 'DENY',
    strictTransportSecurity: false,
    permissionsPolicy: Object.fromEntries(denied.map((name) => [name, []])),
  })
  return async (c, next) => {
    let own: string | null = null
    await secure(c, async () => {
      await next()
      own = c.res.headers.get(policy)
    })
    if (own !== null) c.res.headers.set(policy, own)
  }
}

/** An answer may bring a policy of its own: a report is let do even less than our pages, see routes/runs.ts. */
const policy = 'content-security-policy'
