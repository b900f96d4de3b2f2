import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import { shown } from '../../errors/shown.js'
import { storageError } from '../../storage/atomic-file.js'

/** A JSON file that holds an object. @throws MonosemError missing, io, format */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new MonosemError('format', `${path}: expected JSON`, { cause, hint: 'check the path' })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MonosemError('format', `${path}: expected a JSON object`)
  return value as Record<string, unknown>
}

/** Checks a parsed configuration. @param what for messages. @throws MonosemError format: names the key */
export function checkConfig<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: string,
  what: string,
): z.infer<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { path: key, message } = result.error.issues[0]
  throw new MonosemError('format', `${path} is not ${what}: ${key.join('.')}: ${message}`, {
    cause: result.error,
  })
}

/** @throws MonosemError format: a value that Monosem does not know */
export function requireOneOf(path: string, key: string, found: unknown, known: readonly unknown[]): void {
  if (known.includes(found)) return
  const got = typeof found === 'string' ? found.slice(0, 100) : shown(found)
  throw new MonosemError('format', `${path}: ${key} is ${got}, expected ${known.join(' or ')}`, {
    hint: `autoencoders with another ${key} cannot be loaded`,
  })
}
