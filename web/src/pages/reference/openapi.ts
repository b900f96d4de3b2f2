/** The parts of an OpenAPI 3.1 document that the page shows. */
export interface OpenApi {
  info: { title: string; version: string; description?: string }
  paths: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema> }
}

export interface Operation {
  summary?: string
  description?: string
  tags?: string[]
  operationId?: string
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema?: Schema }> }
  responses: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header' | 'cookie'
  required?: boolean
  description?: string
  schema?: Schema
}

export interface Schema {
  $ref?: string
  type?: string | string[]
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  prefixItems?: Schema[]
  enum?: unknown[]
  const?: unknown
  oneOf?: Schema[]
  anyOf?: Schema[]
  allOf?: Schema[]
  additionalProperties?: Schema | boolean
  default?: unknown
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
}

/** One operation of the API and where it is. */
export interface Route {
  method: string
  path: string
  operation: Operation
}

/** All operations by group, in the order of the document. */
export function groupsOf({ paths }: OpenApi): { name: string; routes: Route[] }[] {
  const groups = new Map<string, Route[]>()
  for (const [path, operations] of Object.entries(paths))
    for (const [method, operation] of Object.entries(operations)) {
      const name = operation.tags?.[0] ?? 'others'
      groups.set(name, [...(groups.get(name) ?? []), { method: method.toUpperCase(), path, operation }])
    }
  return Array.from(groups, ([name, routes]) => ({ name, routes }))
}

/** Name of the schema that a reference points to. */
export const refName = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1)

/** The schema itself, where another one only points to it. */
export function resolve(document: OpenApi, schema: Schema): Schema {
  if (schema.$ref === undefined) return schema
  return document.components?.schemas?.[refName(schema.$ref)] ?? {}
}

const alternatives = ({ oneOf, anyOf }: Schema): Schema[] | undefined => oneOf ?? anyOf

/** What a value is, in a few words: `integer 0 to 500`, `Feature[]`, `string or null`. */
export function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) return refName(schema.$ref)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  const either = alternatives(schema)
  if (either) return [...new Set(either.map(typeText))].join(' or ')
  if (schema.allOf) return schema.allOf.map(typeText).join(' and ')
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeText).join(', ')}]`
  const types = [schema.type ?? 'any'].flat()
  return types
    .map((type) =>
      type === 'array' ? `${bracketed(typeText(schema.items ?? {}))}[]` : type + limitsText(schema, type),
    )
    .join(' or ')
}

const bracketed = (text: string): string => (text.includes(' or ') ? `(${text})` : text)

function limitsText(schema: Schema, type: string): string {
  if (type === 'integer' || type === 'number') {
    const low = schema.minimum ?? schema.exclusiveMinimum
    // What every safe integer is says nothing.
    const high = schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum
    if (low !== undefined && high !== undefined) return ` ${low} to ${high}`
    if (low !== undefined && low !== Number.MIN_SAFE_INTEGER) return ` from ${low}`
    return high === undefined ? '' : ` up to ${high}`
  }
  return type === 'string' && schema.maxLength !== undefined ? `, ${schema.maxLength} characters at most` : ''
}

/** A value with parts of its own: what can be shown when it is opened. */
export function partsOf(
  document: OpenApi,
  schema: Schema,
): { name: string; required: boolean; schema: Schema }[] {
  const inner = resolve(document, schema)
  const either = alternatives(inner)
  if (either) {
    const open = either.filter((one) => one.type !== 'null')
    if (open.length === 1) return partsOf(document, open[0])
    return open
      .filter((one) => partsOf(document, one).length > 0)
      .map((one) => ({ name: 'or', required: true, schema: one }))
  }
  if (inner.allOf) return inner.allOf.flatMap((one) => partsOf(document, one))
  if (inner.items) return partsOf(document, inner.items)
  return Object.entries(inner.properties ?? {}).map(([name, property]) => ({
    name,
    required: inner.required?.includes(name) ?? false,
    schema: property,
  }))
}

/** A small value that the schema allows. */
export function sampleOf(document: OpenApi, schema: Schema): unknown {
  const inner = resolve(document, schema)
  if (inner.default !== undefined) return inner.default
  if (inner.const !== undefined) return inner.const
  if (inner.enum) return inner.enum[0]
  const [first] = alternatives(inner) ?? []
  if (first) return sampleOf(document, first)
  const [type] = [inner.type ?? 'null'].flat()
  if (type === 'array') return inner.minItems ? [sampleOf(document, inner.items ?? {})] : []
  if (type === 'object') {
    const required = Object.entries(inner.properties ?? {}).filter(([name]) => inner.required?.includes(name))
    return Object.fromEntries(required.map(([name, property]) => [name, sampleOf(document, property)]))
  }
  if (type === 'integer' || type === 'number') return Math.max(0, inner.minimum ?? 0)
  if (type === 'boolean') return false
  return type === 'string' ? 'text' : null
}

/** A command that asks for it. */
export function curlOf(
  document: OpenApi,
  { method, path, operation }: Route,
  origin: string,
  run: string,
): string {
  const address = path.replace('{run}', run).replace(/\{\w+\}/g, '0')
  const body = operation.requestBody?.content['application/json']?.schema
  const streams = operation.responses[200]?.content?.['text/event-stream'] !== undefined
  const line = `curl ${streams ? '-N ' : ''}'${origin}${address}'`
  if (!body) return line
  const json = JSON.stringify(sampleOf(document, body)).replaceAll("'", "'\\''")
  return `${line} -X ${method} \\\n  -H 'content-type: application/json' \\\n  -d '${json}'`
}
