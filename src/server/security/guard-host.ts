import type { MiddlewareHandler } from 'hono'
import { refuse } from '../error-answer.js'
import type { Access } from './access.js'

/**
 * Answers only to names that are ours. A page elsewhere can turn its own name to 127.0.0.1 and then read what is there as if it were its
 * own (DNS rebinding); its name still stands in the Host header.
 */
export function guardHost({ hosts, names }: Access): MiddlewareHandler {
  return async (c, next) => {
    const host = (c.req.header('host') ?? new URL(c.req.url).host).toLowerCase()
    if (hosts.has(host) || names.has(host.replace(/:\d+$/, ''))) return next()
    return refuse(c, 421, 'denied', `this server does not answer to the name ${JSON.stringify(host)}`, {
      hint: 'if the name is yours, start it with --allow-host NAME',
    })
  }
}
