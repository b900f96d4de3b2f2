import type { FileHandle } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { elementCount } from './element-count.js'
import { bf16ToF32, f16ToF32 } from './half-floats.js'
import { openFile, readInto } from './read-bytes.js'
import { type HeaderEntry, headerBytes, headerLength, parseHeader } from './safetensors-header.js'

/** Types that are written. Read are also F64 (rounded to F32), I64 (where the numbers fit I32) and BOOL (as U8). */
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

/** A tensor that a file holds. */
export interface SafetensorsEntry {
  /** as the file calls it: F32, BF16, I64, ...; listed even where Monosem cannot read it */
  dtype: string
  shape: readonly number[]
  /** the file that holds it */
  path: string
}

export interface ReadOptions {
  /** BF16 and F16 as they are stored, their bits in a Uint16Array, instead of widened to Float32Array */
  bits?: boolean
  /** memory to read into where it is large enough, instead of new memory; what is read is gone with the next read into it */
  buffer?: ArrayBuffer
}

/** Tensors that are read one at a time, or a few rows at a time. */
export interface TensorReader {
  /** file or directory, for messages */
  path: string
  entries: ReadonlyMap<string, SafetensorsEntry>
  metadata: Record<string, string>
  /** A whole tensor, in memory of its own. @throws MonosemError missing, format (dtype), corrupt, io */
  read(name: string, options?: ReadOptions): Promise<SafeTensor>
  /** Rows first .. first+count-1 of the first axis. @throws MonosemError missing, shape, format (dtype), corrupt, io */
  readRows(name: string, first: number, count: number, options?: ReadOptions): Promise<SafeTensor>
  /** Gives the file back. Reading later is an error. */
  close(): Promise<void>
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

// ---- writing ----

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

function checkedDtype(path: string, name: string, tensor: SafeTensor): SafetensorsDtype {
  const natural = naturalDtype(tensor.data)
  const dtype = tensor.dtype ?? natural
  const bits = natural === 'U16' && (dtype === 'BF16' || dtype === 'F16')
  if (dtype !== natural && !bits)
    throw new MonosemError(
      'shape',
      `write ${path}: tensor ${name} is to be ${dtype} but its data is ${natural}`,
    )
  if (elementCount(tensor.shape) !== tensor.data.length)
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

// ---- reading ----

/**
 * Reads a whole file, each tensor into memory of its own. BF16 and F16 are widened to Float32Array.
 * @throws MonosemError missing, io, format (no safetensors header, or a dtype that Monosem does not read),
 *   corrupt (the header and the file's bytes disagree)
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await openSafetensors(path)
  try {
    const tensors: [string, SafeTensor][] = []
    for (const name of file.entries.keys()) tensors.push([name, await file.read(name)])
    return { tensors: Object.fromEntries(tensors), metadata: file.metadata }
  } finally {
    await file.close()
  }
}

/**
 * Opens a file and checks its header; tensors are read when they are asked for. `entries` are in the order of the file.
 * @throws MonosemError missing, io, format (no safetensors header), corrupt (the header and the file's size disagree)
 */
export async function openSafetensors(path: string): Promise<TensorReader> {
  const handle = await openFile(path)
  try {
    const { size } = await handle.stat()
    const prefix = await readBytes(handle, path, 0, Math.min(8, size))
    const length = headerLength(path, prefix, size)
    const header = parseHeader(path, await readBytes(handle, path, 8, length), size - 8 - length)
    return fileReader(handle, path, 8 + length, header.entries, header.metadata)
  } catch (cause) {
    await handle.close()
    throw storageError('read', path, cause)
  }
}

function fileReader(
  handle: FileHandle,
  path: string,
  dataStart: number,
  list: readonly HeaderEntry[],
  metadata: Record<string, string>,
): TensorReader {
  const entries = new Map(list.map((entry) => [entry.name, { ...entry, path }]))
  const find = (name: string): HeaderEntry => {
    const entry = entries.get(name)
    if (!entry) throw new MonosemError('missing', `${path}: expected a tensor ${name}, there is none`)
    return entry
  }
  const readPart = async (
    entry: HeaderEntry,
    shape: number[],
    [begin, end]: [number, number],
    { bits = false, buffer }: ReadOptions = {},
  ) => {
    const convert = converterOf(path, entry, bits)
    try {
      return convert(shape, await readBytes(handle, path, dataStart + begin, end - begin, buffer))
    } catch (cause) {
      throw storageError('read', path, cause)
    }
  }
  return {
    path,
    entries,
    metadata,
    async read(name, options) {
      const entry = find(name)
      return readPart(entry, entry.shape, [entry.begin, entry.end], options)
    },
    async readRows(name, first, count, options) {
      const entry = find(name)
      const [rows = -1, ...rest] = entry.shape
      if (
        !Number.isInteger(first) ||
        !Number.isInteger(count) ||
        first < 0 ||
        count < 0 ||
        first + count > rows
      )
        throw new MonosemError(
          'shape',
          `${path}: rows ${first} to ${first + count - 1} were asked for of tensor ${name} [${entry.shape}]`,
        )
      const rowBytes = rows === 0 ? 0 : (entry.end - entry.begin) / rows
      const begin = entry.begin + first * rowBytes
      return readPart(entry, [count, ...rest], [begin, begin + count * rowBytes], options)
    },
    close: () => handle.close(),
  }
}

async function readBytes(
  handle: FileHandle,
  path: string,
  position: number,
  length: number,
  buffer?: ArrayBuffer,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes =
    buffer && buffer.byteLength >= length ? new Uint8Array(buffer, 0, length) : new Uint8Array(length)
  await readInto(handle, path, bytes, position)
  return bytes
}

type Converter = (shape: number[], bytes: Uint8Array<ArrayBuffer>) => SafeTensor

/** What makes a tensor of bytes of `entry`, which lie at the start of their buffer. @throws MonosemError format: a dtype that is not read */
function converterOf(path: string, { name, dtype }: HeaderEntry, bits: boolean): Converter {
  switch (dtype) {
    case 'F32':
      return (shape, { buffer, length }) => ({ shape, dtype, data: new Float32Array(buffer, 0, length / 4) })
    case 'BF16':
    case 'F16': {
      const stored = ({ buffer, length }: Uint8Array<ArrayBuffer>) => new Uint16Array(buffer, 0, length / 2)
      if (bits) return (shape, bytes) => ({ shape, dtype, data: stored(bytes) })
      const widen = dtype === 'BF16' ? bf16ToF32 : f16ToF32
      return (shape, bytes) => ({ shape, dtype: 'F32', data: widen(stored(bytes)) })
    }
    case 'F64':
      return (shape, { buffer, length }) => ({
        shape,
        dtype: 'F32',
        data: Float32Array.from(new Float64Array(buffer, 0, length / 8)),
      })
    case 'I32':
      return (shape, { buffer, length }) => ({ shape, dtype, data: new Int32Array(buffer, 0, length / 4) })
    case 'I64':
      return (shape, { buffer, length }) => ({
        shape,
        dtype: 'I32',
        data: narrowed(path, name, new BigInt64Array(buffer, 0, length / 8)),
      })
    case 'U32':
      return (shape, { buffer, length }) => ({ shape, dtype, data: new Uint32Array(buffer, 0, length / 4) })
    case 'U16':
      return (shape, { buffer, length }) => ({ shape, dtype, data: new Uint16Array(buffer, 0, length / 2) })
    case 'U8':
    case 'BOOL':
      return (shape, data) => ({ shape, dtype: 'U8', data })
    default:
      throw new MonosemError('format', `${path}: tensor ${name} has dtype ${dtype}`, {
        hint: `Monosem reads ${[...Object.keys(bytesPerElement), 'F64', 'I64', 'BOOL'].join(', ')}: convert the tensor first`,
      })
  }
}

function narrowed(path: string, name: string, wide: BigInt64Array): Int32Array {
  const data = new Int32Array(wide.length)
  for (let i = 0; i < wide.length; i++) {
    data[i] = Number(wide[i])
    if (BigInt(data[i]) !== wide[i])
      throw new MonosemError('format', `${path}: ${name}[${i}] is ${wide[i]}, which does not fit 32 bits`, {
        hint: 'Monosem reads I64 tensors of numbers below 2^31, as token ids are',
      })
  }
  return data
}
