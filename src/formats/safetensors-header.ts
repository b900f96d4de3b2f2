import { MonosemError } from '../errors/monosem-error.js'
import { elementCount } from './element-count.js'

/*
 * The safetensors layout (https://github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header
 * `{ name: { dtype, shape, data_offsets: [begin, end] }, __metadata__: { key: text } }`, then the tensors' bytes, which must
 * fill the rest of the file without gaps or overlaps.
 */

/** What a header says about one tensor. Its bytes begin..end count from the end of the header. */
export interface HeaderEntry {
  name: string
  /** as the file calls it: F32, BF16, I64, ...; it may be one that Monosem cannot read */
  dtype: string
  shape: number[]
  begin: number
  end: number
}

export interface SafetensorsHeader {
  /** in the order of their bytes */
  entries: HeaderEntry[]
  metadata: Record<string, string>
}

/** Types whose size is known, so that shape and offsets can be compared. Others (of less than a byte) are listed unchecked. */
const bytesPerElement: Record<string, number> = {
  F64: 8,
  I64: 8,
  U64: 8,
  C64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  BF16: 2,
  F16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  F8_E5M2FNUZ: 1,
  F8_E4M3FNUZ: 1,
}

/** The same bound as the official library: no real header is larger. */
const maxHeaderBytes = 100_000_000

/**
 * Length of the JSON header from the first 8 bytes of a file.
 * @param size bytes of the whole file
 * @throws MonosemError format (no safetensors file), corrupt (the header is larger than the file)
 */
export function headerLength(path: string, prefix: Uint8Array, size: number): number {
  if (prefix.length < 8) throw notSafetensors(path, `expected at least 8 bytes, got ${prefix.length}`)
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true))
  if (length > maxHeaderBytes) throw notSafetensors(path, `a header of ${length} bytes is announced`)
  if (length > size - 8)
    throw corrupt(path, `expected a header of ${length} bytes, got ${size - 8} bytes after the length`)
  return length
}

/**
 * Reads the JSON header and checks that the tensors fill the data exactly.
 * @param dataBytes bytes of the file after the header
 * @throws MonosemError format (not such a header), corrupt (offsets disagree with shapes, with one another or with the file)
 */
export function parseHeader(path: string, bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
  const entries: HeaderEntry[] = []
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(parseJson(path, bytes))) {
    if (name === '__metadata__') metadata = checkMetadata(path, value)
    else entries.push(checkEntry(path, name, value))
  }
  checkLayout(path, entries, dataBytes)
  return { entries, metadata }
}

/** Length prefix and JSON, padded with spaces so that the data starts at a multiple of 8 bytes. */
export function headerBytes(header: Record<string, unknown>): Uint8Array {
  const json = Buffer.from(JSON.stringify(header))
  const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8))
  json.copy(bytes, 8)
  return bytes
}

function parseJson(path: string, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw notSafetensors(path, 'the header is not JSON', cause)
  }
  if (!isRecord(header)) throw notSafetensors(path, 'the header is not a JSON object')
  return header
}

function checkMetadata(path: string, value: unknown): Record<string, string> {
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === 'string'))
    throw notSafetensors(path, '__metadata__ is not a map of texts')
  return value as Record<string, string>
}

function checkEntry(path: string, name: string, value: unknown): HeaderEntry {
  if (!isRecord(value)) throw notSafetensors(path, `the entry of ${name} is not an object`)
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string') throw notSafetensors(path, `tensor ${name} has no dtype`)
  if (!isCounts(shape)) throw notSafetensors(path, `the shape of ${name} is not a list of sizes`)
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[1] < offsets[0])
    throw notSafetensors(path, `data_offsets of ${name} are not [begin, end]`)
  const [begin, end] = offsets
  const expected = Object.hasOwn(bytesPerElement, dtype)
    ? elementCount(shape) * bytesPerElement[dtype]
    : end - begin
  if (end - begin !== expected)
    throw corrupt(
      path,
      `tensor ${name}: ${dtype} [${shape}] needs ${expected} bytes, its offsets span ${end - begin}`,
    )
  return { name, dtype, shape, begin, end }
}

/** The tensors, in order of their offsets, must fill the data exactly. Sorts `entries`. */
function checkLayout(path: string, entries: HeaderEntry[], dataBytes: number): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let offset = 0
  for (const { name, begin, end } of entries) {
    if (begin !== offset) throw corrupt(path, `tensor ${name} starts at byte ${begin}, expected ${offset}`)
    offset = end
  }
  if (offset !== dataBytes) throw corrupt(path, `expected ${offset} bytes of tensors, got ${dataBytes}`)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)

const notSafetensors = (path: string, what: string, cause?: unknown): MonosemError =>
  new MonosemError('format', `${path} is not a safetensors file: ${what}`, { cause, hint: 'check the path' })

/** A file whose bytes are not what its header says. */
const corrupt = (path: string, what: string): MonosemError =>
  new MonosemError('corrupt', `${path}: ${what}`, {
    hint: 'the file is damaged or was cut short: make it again, or copy it again',
  })
