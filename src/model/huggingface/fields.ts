import type { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import { shown } from '../../errors/shown.js'

/**
 * Checks the fields of a `config.json` that a schema names; others are ignored.
 * @throws MonosemError format: names file, field, what was expected and what came
 */
export function parseFields<S extends z.ZodType>(
  schema: S,
  value: Record<string, unknown>,
  path: string,
): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const came = issue.path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown>)?.[key], value)
  const expected = issue.message.replace(/^[\w ]+: expected/, 'expected').replace(/, received .*$/, '')
  throw unsupported(path, `${issue.path.join('.')}: ${expected}, got ${shown(came)}`)
}

/** A configuration that Monosem does not load. */
export const unsupported = (path: string, what: string): MonosemError =>
  new MonosemError('format', `${path}: ${what}`, {
    hint: 'Monosem loads the models that it computes exactly; it does not guess',
  })
