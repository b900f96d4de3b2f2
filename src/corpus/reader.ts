import { isUtf8 } from 'node:buffer'
import { MonosemError } from '../errors/monosem-error.js'

/** A text as a reader finds it. */
export interface FoundText {
  text: string
  /** where in the file: "" for all of it, else a line or row number from 1 */
  place: string
}

/** Told of everything that cannot be read; throws the error unless such things are to be skipped and counted. */
export type BadInput = (reason: string, error: MonosemError, count?: number) => void

/** What a reader needs. */
export interface ReadRequest {
  path: string
  /** what errors call the file */
  name: string
  /** field that holds the text, for files with fields */
  field: string
  bad: BadInput
}

/** Yields the texts of one file. */
export type Reader = (request: ReadRequest) => AsyncIterable<FoundText>

const SKIP_HINT = 'mend or remove it, or skip and count such input with --skip-bad'

/** An error about the content of a file. */
export const formatError = (message: string, cause?: unknown): MonosemError =>
  new MonosemError('format', message, { hint: SKIP_HINT, cause })

/**
 * Bytes as text, without a byte order mark.
 * @throws MonosemError format (binary, or invalid UTF-8: names the first bad byte's offset)
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  const nul = bytes.indexOf(0)
  if (nul >= 0) throw formatError(`${name}: expected text, got binary data (a zero byte at offset ${nul})`)
  if (!isUtf8(bytes))
    throw formatError(`${name}: expected UTF-8, got an invalid byte at offset ${firstInvalid(bytes)}`)
  return new TextDecoder().decode(bytes)
}

/** Offset of the first byte that breaks UTF-8: bisection over valid prefixes, then character by character. */
function firstInvalid(bytes: Uint8Array): number {
  let low = 0
  let high = bytes.length
  while (high - low > 16) {
    let middle = (low + high) >> 1
    for (let i = 0; i < 3 && ((bytes[middle] as number) & 0xc0) === 0x80; i++) middle--
    if (isUtf8(bytes.subarray(low, middle))) low = middle
    else high = middle
  }
  for (;;) {
    const length = [1, 2, 3, 4].find((n) => low + n <= bytes.length && isUtf8(bytes.subarray(low, low + n)))
    if (length === undefined) return low
    low += length
  }
}

/** The error for a field that is not there; lists those that are. */
export function missingField(name: string, field: string, available: readonly string[]): MonosemError {
  const list = available.slice(0, 20).join(', ') || 'none'
  return new MonosemError('missing', `${name}: expected field ${JSON.stringify(field)}, found: ${list}`, {
    hint: 'choose the field that holds the text with --field',
  })
}
