import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import { shown } from '../../errors/shown.js'
import { storageError } from '../../storage/atomic-file.js'

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

/** Parses a JSON file. @throws MonosemError missing, io, format */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw storageError('read', path, cause)
    throw new MonosemError('format', `${path} is not JSON`, { cause, hint: 'copy the file again' })
  }
}
