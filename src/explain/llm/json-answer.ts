import type { z } from 'zod'

export type Parsed<T> = { ok: true; value: T } | { ok: false; problem: string }

/**
 * Reads the JSON of an answer strictly by a schema; forgives what models like to put around it: a code fence, a sentence, a block of
 * thoughts.
 */
export function parseJsonAnswer<T>(text: string, schema: z.ZodType<T>): Parsed<T> {
  const candidates = [text, text.replace(/^.*<\/think>/s, '')].flatMap((body) => [
    body,
    /```(?:json)?\s*\n(.*?)```/s.exec(body)?.[1] ?? '',
    body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1),
  ])
  for (const candidate of candidates) {
    let value: unknown
    try {
      value = JSON.parse(candidate)
    } catch {
      continue
    }
    const result = schema.safeParse(value)
    if (result.success) return { ok: true, value: result.data }
    const [issue] = result.error.issues
    const place = issue.path.join('.') || 'the whole'
    return { ok: false, problem: `the JSON does not fit: ${place}: ${issue.message}` }
  }
  return { ok: false, problem: 'it is not JSON' }
}
