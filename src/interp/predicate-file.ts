import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MonosemError } from '../errors/monosem-error.js'
import type { Predicate } from './predicates.js'
import type { Span } from './spans.js'

/**
 * A user's own concept as code. The file is a module whose default export is a function
 *
 *   (text: string) => [start, end][]
 *
 * It is called once for each document, with the whole of its text, and returns the stretches in which the concept holds, as
 * offsets in UTF-16 units: start included, end excluded, as `text.slice` takes them. Stretches may overlap and come in any order.
 * JavaScript (.js, .mjs), or TypeScript (.ts, .mts) where Node strips types (22.18 or later).
 * @throws MonosemError missing (no such file), config (it cannot be loaded, or its default export is no function)
 */
export async function loadPredicateFile(path: string): Promise<Predicate> {
  if (!existsSync(path))
    throw new MonosemError('missing', `predicate file ${path}: no such file`, { hint: 'check the path' })
  requireTypesOrJavaScript(path)
  let module: { default?: unknown }
  try {
    module = await import(pathToFileURL(resolve(path)).href)
  } catch (cause) {
    throw new MonosemError('config', `predicate file ${path} could not be loaded: ${messageOf(cause)}`, {
      cause,
    })
  }
  const find = module.default
  if (typeof find !== 'function')
    throw new MonosemError(
      'config',
      `predicate file ${path}: expected a function as its default export, got ${kindOf(find)}`,
      { hint: contract },
    )
  return {
    name: path,
    description: `where ${path} finds it`,
    spans: (text) => checkedSpans(path, text, callPredicate(path, find as (text: string) => unknown, text)),
  }
}

const contract =
  'for example: export default (text) => [...text.matchAll(/cat/g)].map((m) => [m.index, m.index + 3])'

/** TypeScript needs a Node that strips types by itself. */
function requireTypesOrJavaScript(path: string): void {
  const strips = (process.features as { typescript?: unknown }).typescript
  if (!/\.[mc]?ts$/.test(path) || strips) return
  throw new MonosemError('config', `predicate file ${path}: Node ${process.version} cannot load TypeScript`, {
    hint: 'write it as .js or .mjs, or run Monosem with Node 22.18 or later',
  })
}

function callPredicate(path: string, find: (text: string) => unknown, text: string): unknown {
  try {
    return find(text)
  } catch (cause) {
    throw new MonosemError('config', `predicate file ${path} threw ${messageOf(cause)}`, { cause })
  }
}

function checkedSpans(path: string, text: string, found: unknown): Span[] {
  const refuse = (got: string): never => {
    throw new MonosemError('config', `predicate file ${path}: expected pairs [start, end], got ${got}`, {
      hint: contract,
    })
  }
  // Its later failure would end the program before this message is read.
  if (found instanceof Promise) found.catch(() => {})
  if (!Array.isArray(found)) return refuse(kindOf(found))
  return found.map((pair: unknown) => {
    const [first, end] = Array.isArray(pair) && pair.length === 2 ? (pair as unknown[]) : []
    if (!Number.isInteger(first) || !Number.isInteger(end)) return refuse(kindOf(pair))
    const span = { first: first as number, end: end as number }
    if (!(span.first >= 0 && span.first <= span.end && span.end <= text.length))
      return refuse(`[${span.first}, ${span.end}] in a text of ${text.length} characters`)
    return span
  })
}

const messageOf = (cause: unknown): string =>
  cause instanceof Error ? `${cause.name}: ${cause.message}` : kindOf(cause)

/** A value in a few words. */
function kindOf(value: unknown): string {
  if (value instanceof Promise) return 'a promise (it must answer at once)'
  if (typeof value === 'function') return 'a function'
  return (JSON.stringify(value) ?? String(value)).slice(0, 80)
}
