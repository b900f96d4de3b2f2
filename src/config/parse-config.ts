import type { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'

/** camelCase to kebab-case, as flags are written: batchSize -> batch-size. */
export const kebabCase = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)

/**
 * Fills in defaults and checks ranges. Unknown keys are refused, so that a typing mistake is not silently ignored.
 * @param label how the error calls a field, e.g. name => `--${kebabCase(name)}`; the plain name unless given
 * @throws MonosemError config: names the field, what was expected and what came
 */
export function parseConfig<S extends z.ZodObject>(
  schema: S,
  values: Record<string, unknown>,
  label: (name: string) => string = (name) => name,
): z.infer<S> {
  const result = schema.strict().safeParse(values)
  if (result.success) return result.data as z.infer<S>
  const lines = result.error.issues.map((issue) => describeIssue(issue, values, label))
  throw new MonosemError('config', lines.join('; '), {
    cause: result.error,
    hint: 'see --help for units, ranges and defaults',
  })
}

function describeIssue(
  issue: z.core.$ZodIssue,
  values: Record<string, unknown>,
  label: (name: string) => string,
): string {
  if (issue.code === 'unrecognized_keys')
    return `expected a known option, got ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`
  const name = String(issue.path[0] ?? '')
  const expected = expectation(issue)
  const came = issue.path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown>)?.[key],
    values,
  )
  return `${label(name)}: ${expected}, got ${came === undefined ? 'nothing' : JSON.stringify(came)}`
}

const typesInWords: Record<string, string | undefined> = {
  ...{ int: 'a whole number', number: 'a number', string: 'a text', array: 'one or more values' },
}

/** zod's message without its category and without its own "received …": "expected number to be >=1". */
function expectation(issue: z.core.$ZodIssue): string {
  const inWords = issue.code === 'invalid_type' ? typesInWords[issue.expected] : undefined
  if (inWords) return `expected ${inWords}`
  const start = issue.message.indexOf('expected ')
  return start < 0 ? issue.message : issue.message.slice(start).replace(/, received .*$/, '')
}
