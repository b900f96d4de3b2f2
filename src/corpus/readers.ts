import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from '../storage/atomic-file.js'
import {
  decodeText,
  type FoundText,
  formatError,
  missingField,
  type Reader,
  type ReadRequest,
} from './reader.js'
import { readTable } from './table-reader.js'

const readers: Record<string, Reader> = {
  '.txt': readPlain,
  '.md': readPlain,
  '.jsonl': readJsonLines,
  '.json': readJson,
  '.csv': readTable,
  '.csv.gz': readTable,
  '.parquet': readTable,
}

/** Endings of files that can be read. */
export const supportedExtensions: readonly string[] = Object.keys(readers)

/** The reader for a file by its ending, upper or lower case; null when there is none. */
export function readerFor(path: string): Reader | null {
  const lower = path.toLowerCase()
  const extension = supportedExtensions.find((ending) => lower.endsWith(ending))
  return extension ? (readers[extension] as Reader) : null
}

async function readWhole(request: ReadRequest): Promise<string | null> {
  const bytes = await readFile(request.path).catch((cause) =>
    Promise.reject(storageError('read', request.path, cause)),
  )
  try {
    return decodeText(bytes, request.name)
  } catch (error) {
    request.bad('files that are no UTF-8 text', error as MonosemError)
    return null
  }
}

async function* readPlain(request: ReadRequest): AsyncGenerator<FoundText> {
  const text = await readWhole(request)
  if (text !== null) yield { text, place: '' }
}

async function* readJsonLines(request: ReadRequest): AsyncGenerator<FoundText> {
  let number = 0
  for await (const line of linesOf(request.path)) {
    number++
    const place = String(number)
    const name = `${request.name}:${number}`
    try {
      const text = decodeText(line, name)
      if (text.trim() !== '') yield { text: textOf(parseJson(text, name), request.field, name), place }
    } catch (error) {
      if (!(error instanceof MonosemError)) throw error
      request.bad('bad lines', error)
    }
  }
}

async function* readJson(request: ReadRequest): AsyncGenerator<FoundText> {
  const text = await readWhole(request)
  if (text === null || text.trim() === '') return
  let value: unknown
  try {
    value = parseJson(text, request.name)
  } catch (error) {
    request.bad('bad files', error as MonosemError)
    return
  }
  const entries = Array.isArray(value) ? value : [value]
  for (const [i, entry] of entries.entries()) {
    const place = Array.isArray(value) ? String(i + 1) : ''
    let found: string
    try {
      found = textOf(entry, request.field, place ? `${request.name}:${place}` : request.name)
    } catch (error) {
      request.bad('bad entries', error as MonosemError)
      continue
    }
    yield { text: found, place }
  }
}

/** Lines of a file as bytes, without their ends; only one line at a time is in memory. */
export async function* linesOf(path: string): AsyncGenerator<Uint8Array> {
  let rest: Buffer[] = []
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      const bytes = chunk as Buffer
      let start = 0
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
        rest.push(bytes.subarray(start, end))
        yield rest.length === 1 ? (rest[0] as Buffer) : Buffer.concat(rest)
        rest = []
        start = end + 1
      }
      if (start < bytes.length) rest.push(bytes.subarray(start))
    }
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  if (rest.length > 0) yield Buffer.concat(rest)
}

/** @throws MonosemError format */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const start = text.trim().slice(0, 40)
    throw formatError(`${name}: expected JSON, got ${JSON.stringify(start)}`, cause)
  }
}

/** The text of a JSON value: the value itself, or its field. */
function textOf(value: unknown, field: string, name: string): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw formatError(`${name}: expected a string or an object, got ${JSON.stringify(value)?.slice(0, 40)}`)
  if (!Object.hasOwn(value, field)) throw missingField(name, field, Object.keys(value))
  const found = (value as Record<string, unknown>)[field]
  if (typeof found !== 'string')
    throw formatError(`${name}: expected field ${JSON.stringify(field)} to be a string, got ${typeof found}`)
  return found
}
