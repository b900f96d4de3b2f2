import type { z } from 'zod'

/** One option of a stage's configuration, read from its zod schema: what a flag or a help page needs to know. */
export interface Field {
  /** camelCase key of the schema */
  name: string
  kind: 'number' | 'boolean' | 'string' | 'array'
  /** allowed values of an enum */
  choices?: readonly string[]
  /** what the elements of an array are */
  element?: 'number' | 'string'
  /** meaning and unit, from `.describe()` */
  description: string
  default?: unknown
}

/** zod's own description of a type, as far as configurations use it. */
interface Definition {
  type: string
  innerType?: z.ZodType
  in?: z.ZodType
  element?: z.ZodType
  entries?: Record<string, string>
  values?: readonly unknown[]
  defaultValue?: unknown
}

const wrappers = new Set([
  'default',
  'prefault',
  'optional',
  'nonoptional',
  'nullable',
  'readonly',
  'catch',
  'pipe',
])

const definitionOf = (type: z.ZodType): Definition => type.def as unknown as Definition

/** The fields of a flat configuration schema, in the order in which they are declared. */
export function fieldsOf(schema: z.ZodObject): Field[] {
  return Object.entries(schema.shape).map(([name, type]) => fieldOf(name, type as unknown as z.ZodType))
}

function fieldOf(name: string, type: z.ZodType): Field {
  let description = type.description ?? ''
  let defaultValue: unknown
  let inner = type
  for (let d = definitionOf(inner); wrappers.has(d.type); d = definitionOf(inner)) {
    defaultValue ??= d.defaultValue
    inner = (d.innerType ?? d.in) as z.ZodType
    description ||= inner.description ?? ''
  }
  return { name, description, default: defaultValue, ...kindOf(name, definitionOf(inner)) }
}

function kindOf(name: string, d: Definition): Pick<Field, 'kind' | 'choices' | 'element'> {
  if (d.type === 'number' || d.type === 'int') return { kind: 'number' }
  if (d.type === 'boolean' || d.type === 'string') return { kind: d.type }
  if (d.type === 'enum') return { kind: 'string', choices: Object.values(d.entries ?? {}) }
  if (d.type === 'literal') return { kind: 'string', choices: (d.values ?? []).map(String) }
  if (d.type === 'array')
    return {
      kind: 'array',
      element: definitionOf(d.element as z.ZodType).type === 'number' ? 'number' : 'string',
    }
  // A mistake of ours, not of the user: schemas of stages keep to what a flag can say.
  throw new TypeError(`config field ${name}: a flag cannot hold a ${d.type}`)
}
