import type { Context } from 'hono'
import { jsonOf, type StoredAnswer } from '../stored-answer.js'

/**
 * Sends an answer as it is stored; unpacked where the client cannot, and nothing but "not changed" (304) where it has the answer already. The
 * client asks again each time, so an answer that is out of date is never shown.
 */
export async function sendStored(c: Context, answer: StoredAnswer): Promise<Response> {
  const packed = acceptsGzip(c.req.header('accept-encoding'))
  // The two forms are different bytes, so they are called by different names.
  const etag = `"${answer.hash}${packed ? '.gz' : ''}"`
  const headers = { etag, 'cache-control': 'no-cache', vary: 'accept-encoding' }
  if (names(c.req.header('if-none-match'), answer.hash)) return c.body(null, 304, headers)
  const type = { 'content-type': 'application/json' }
  return packed
    ? c.body(answer.gzip, 200, { ...headers, ...type, 'content-encoding': 'gzip' })
    : c.body(await jsonOf(answer), 200, { ...headers, ...type })
}

/** RFC 9110, 12.5.3: listed, or any is welcome, and not with the weight 0. */
function acceptsGzip(header = ''): boolean {
  const weights = new Map(
    header.split(',').map((part) => {
      const [name, weight = ''] = part.split(';')
      return [name.trim().toLowerCase(), Number(/q\s*=\s*([\d.]+)/.exec(weight)?.[1] ?? 1)]
    }),
  )
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0
}

/** Whether the client has the answer in either form. */
const names = (header = '', hash: string): boolean =>
  header
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === '*' || tag === `"${hash}"` || tag === `"${hash}.gz"`)
