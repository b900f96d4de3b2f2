import { type FileHandle, open } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { bf16ToF32, f16ToF32 } from './half-floats.js'

/*
 * The safetensors layout (https://github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header
 * `{ name: { dtype, shape, data_offsets: [begin, end] }, __metadata__: { key: text } }`, then the tensors' bytes, which must
 * fill the rest of the file without gaps or overlaps.
 */

export type SafetensorsDtype = 'F32' | 'BF16' | 'F16' | 'I32' | 'U16' | 'U32' | 'U8'
export type SafetensorsData = Float32Array | Int32Array | Uint16Array | Uint32Array | Uint8Array

export interface SafeTensor {
  /** row-major; [] is a scalar */
  shape: number[]
  data: SafetensorsData
  /** type on disk; by default the one of `data`. BF16 and F16 are written from the bits in a Uint16Array. */
  dtype?: SafetensorsDtype
}

export interface SafetensorsFile {
  tensors: Record<string, SafeTensor>
  metadata: Record<string, string>
}

interface Entry {
  name: string
  dtype: SafetensorsDtype
  shape: number[]
  begin: number
  end: number
}

export const bytesPerElement: Record<SafetensorsDtype, number> = {
  F32: 4,
  I32: 4,
  U32: 4,
  BF16: 2,
  F16: 2,
  U16: 2,
  U8: 1,
}

/** The same bound as the official library: no real header is larger. */
const maxHeaderBytes = 100_000_000

/** Reads and writes go in pieces because one system call moves less than 2 GiB. */
const maxReadBytes = 1 << 30

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/**
 * Writes tensors so that a reader sees the old file or the new one, never half of it. The tensors' own memory goes to
 * the disk: nothing is copied. Larger element types come first, so that every tensor starts aligned.
 * @throws MonosemError shape (shape, dtype and data disagree), io
 */
export async function writeSafetensors(
  path: string,
  tensors: Record<string, SafeTensor>,
  metadata: Record<string, string> = {},
): Promise<void> {
  const sorted = Object.entries(tensors)
    .map(([name, tensor]) => ({ name, tensor, dtype: checkedDtype(path, name, tensor) }))
    .sort((a, b) => bytesPerElement[b.dtype] - bytesPerElement[a.dtype] || (a.name < b.name ? -1 : 1))
  const header: [string, unknown][] = []
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata])
  const parts: Uint8Array[] = []
  let offset = 0
  for (const { name, tensor, dtype } of sorted) {
    const { buffer, byteOffset, byteLength } = tensor.data
    header.push([name, { dtype, shape: tensor.shape, data_offsets: [offset, offset + byteLength] }])
    parts.push(new Uint8Array(buffer, byteOffset, byteLength))
    offset += byteLength
  }
  await writeFileAtomic(path, [headerBytes(Object.fromEntries(header)), ...parts])
}

/** Length prefix and JSON, padded with spaces so that the data starts at a multiple of 8 bytes. */
export function headerBytes(header: Record<string, unknown>): Uint8Array {
  const json = Buffer.from(JSON.stringify(header))
  const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8))
  json.copy(bytes, 8)
  return bytes
}

function checkedDtype(path: string, name: string, tensor: SafeTensor): SafetensorsDtype {
  const natural = naturalDtype(tensor.data)
  const dtype = tensor.dtype ?? natural
  const bits = natural === 'U16' && (dtype === 'BF16' || dtype === 'F16')
  if (dtype !== natural && !bits)
    throw new MonosemError(
      'shape',
      `write ${path}: tensor ${name} is to be ${dtype} but its data is ${natural}`,
    )
  if (product(tensor.shape) !== tensor.data.length)
    throw new MonosemError(
      'shape',
      `write ${path}: tensor ${name} has shape [${tensor.shape}] but ${tensor.data.length} elements`,
    )
  if (name === '__metadata__')
    throw new MonosemError('shape', `write ${path}: a tensor cannot be called __metadata__`)
  return dtype
}

export function naturalDtype(data: SafetensorsData): SafetensorsDtype {
  if (data instanceof Float32Array) return 'F32'
  if (data instanceof Int32Array) return 'I32'
  if (data instanceof Uint32Array) return 'U32'
  if (data instanceof Uint16Array) return 'U16'
  return 'U8'
}

/**
 * Reads a whole file, each tensor into memory of its own. BF16 and F16 are widened to Float32Array.
 * @throws MonosemError missing, io, format (no safetensors header, or a dtype that Monosem does not read),
 *   corrupt (the header and the file's bytes disagree)
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (cause) {
    throw storageError('open', path, cause)
  }
  try {
    const { entries, metadata, dataStart } = await readHeader(handle, path)
    const tensors: [string, SafeTensor][] = []
    for (const entry of entries) {
      const bytes = await readBytes(handle, path, dataStart + entry.begin, entry.end - entry.begin)
      tensors.push([entry.name, toTensor(entry, bytes.buffer)])
    }
    return { tensors: Object.fromEntries(tensors), metadata }
  } catch (cause) {
    throw storageError('read', path, cause)
  } finally {
    await handle.close()
  }
}

async function readHeader(
  handle: FileHandle,
  path: string,
): Promise<{ entries: Entry[]; metadata: Record<string, string>; dataStart: number }> {
  const { size } = await handle.stat()
  if (size < 8) throw notSafetensors(path, `expected at least 8 bytes, got ${size}`)
  const prefix = await readBytes(handle, path, 0, 8)
  const headerLength = Number(new DataView(prefix.buffer).getBigUint64(0, true))
  if (headerLength > maxHeaderBytes)
    throw notSafetensors(path, `a header of ${headerLength} bytes is announced`)
  if (headerLength > size - 8)
    throw corrupt(path, `expected a header of ${headerLength} bytes, got ${size - 8} bytes after the length`)
  const header = parseHeader(path, await readBytes(handle, path, 8, headerLength))
  const entries: Entry[] = []
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = checkMetadata(path, value)
    else entries.push(checkEntry(path, name, value))
  }
  checkLayout(path, entries, size - 8 - headerLength)
  return { entries, metadata, dataStart: 8 + headerLength }
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
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

function checkEntry(path: string, name: string, value: unknown): Entry {
  if (!isRecord(value)) throw notSafetensors(path, `the entry of ${name} is not an object`)
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string') throw notSafetensors(path, `tensor ${name} has no dtype`)
  if (!Object.hasOwn(bytesPerElement, dtype))
    throw new MonosemError('format', `${path}: tensor ${name} has dtype ${dtype}`, {
      hint: `Monosem reads ${Object.keys(bytesPerElement).join(', ')}: convert the tensor first`,
    })
  if (!isCounts(shape)) throw notSafetensors(path, `the shape of ${name} is not a list of sizes`)
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[1] < offsets[0])
    throw notSafetensors(path, `data_offsets of ${name} are not [begin, end]`)
  const [begin, end] = offsets
  const expected = product(shape) * bytesPerElement[dtype as SafetensorsDtype]
  if (end - begin !== expected)
    throw corrupt(
      path,
      `tensor ${name}: ${dtype} [${shape}] needs ${expected} bytes, its offsets span ${end - begin}`,
    )
  return { name, dtype: dtype as SafetensorsDtype, shape, begin, end }
}

/** The tensors, in order of their offsets, must fill the data exactly. Sorts `entries`. */
function checkLayout(path: string, entries: Entry[], dataBytes: number): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let offset = 0
  for (const { name, begin, end } of entries) {
    if (begin !== offset) throw corrupt(path, `tensor ${name} starts at byte ${begin}, expected ${offset}`)
    offset = end
  }
  if (offset !== dataBytes) throw corrupt(path, `expected ${offset} bytes of tensors, got ${dataBytes}`)
}

async function readBytes(
  handle: FileHandle,
  path: string,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await handle.read(
      bytes,
      done,
      Math.min(length - done, maxReadBytes),
      position + done,
    )
    if (bytesRead === 0) throw corrupt(path, `expected ${position + length} bytes, got ${position + done}`)
    done += bytesRead
  }
  return bytes
}

function toTensor({ dtype, shape }: Entry, buffer: ArrayBuffer): SafeTensor {
  switch (dtype) {
    case 'F32':
      return { shape, dtype, data: new Float32Array(buffer) }
    case 'BF16':
      return { shape, dtype: 'F32', data: bf16ToF32(new Uint16Array(buffer)) }
    case 'F16':
      return { shape, dtype: 'F32', data: f16ToF32(new Uint16Array(buffer)) }
    case 'I32':
      return { shape, dtype, data: new Int32Array(buffer) }
    case 'U32':
      return { shape, dtype, data: new Uint32Array(buffer) }
    case 'U16':
      return { shape, dtype, data: new Uint16Array(buffer) }
    case 'U8':
      return { shape, dtype, data: new Uint8Array(buffer) }
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)

const notSafetensors = (path: string, what: string, cause?: unknown): MonosemError =>
  new MonosemError('format', `${path} is not a safetensors file: ${what}`, { cause, hint: 'check the path' })

const corrupt = (path: string, what: string): MonosemError =>
  new MonosemError('corrupt', `${path}: ${what}`, {
    hint: 'the file is damaged or was cut short: make it again, or copy it again',
  })
