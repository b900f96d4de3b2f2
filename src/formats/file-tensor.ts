import { MonosemError } from '../errors/monosem-error.js'
import { elementCount } from './element-count.js'
import { bf16ToF32, f16ToF32 } from './half-floats.js'
import { copyStrided, isContiguous, rowMajorStrides } from './strided-copy.js'

const rawTypes = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
}

/** Element types in the files of NumPy and PyTorch, by their names in safetensors. */
export type FileDtype = keyof typeof rawTypes
export type FileData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | BigUint64Array
  | Uint32Array
  | Uint16Array
  | Uint8Array

/** A tensor out of another program's file. */
export interface FileTensor {
  /** row-major; [] is a scalar */
  shape: number[]
  /** type in the file. `data` has the array type that goes with it, but of F16 and BF16 it holds float32, and of BOOL 0 and 1 */
  dtype: FileDtype
  data: FileData
}

/** Where a tensor stands in a run of bytes. */
export interface TensorLayout {
  dtype: FileDtype
  shape: readonly number[]
  /** step to the next element of each axis, in elements; row-major when left out */
  strides?: readonly number[]
  /** elements before the first one; default 0 */
  offset?: number
  /** default little */
  byteOrder?: 'little' | 'big'
}

export const bytesPerElement = (dtype: FileDtype): number => rawTypes[dtype].BYTES_PER_ELEMENT

/**
 * Makes a row-major tensor of bytes, which the caller has checked to hold it. Where nothing has to be moved or widened and the tensor
 * fills the bytes, their memory becomes the tensor's.
 */
export function tensorFromBytes(bytes: Uint8Array<ArrayBuffer>, layout: TensorLayout): FileTensor {
  const { dtype, byteOrder = 'little', offset = 0 } = layout
  const shape = [...layout.shape]
  const strides = layout.strides ?? rowMajorStrides(shape)
  const count = elementCount(shape)
  const all = elementsOf(bytes, dtype)
  let data: FileData
  if (!isContiguous(shape, strides)) {
    data = new rawTypes[dtype](count)
    if (count > 0) copyStrided<FileData>(all, data, shape, strides, offset)
  } else if (count === all.length && byteOrder === 'little') data = all
  else data = all.slice(offset, offset + count)
  if (byteOrder === 'big') swapBytes(data)
  return { shape, dtype, data: widened(dtype, data) }
}

/** A view on `bytes`, or on a copy where they are not aligned. */
function elementsOf(bytes: Uint8Array<ArrayBuffer>, dtype: FileDtype): FileData {
  const size = bytesPerElement(dtype)
  const { buffer, byteOffset, length } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  return new rawTypes[dtype](buffer, byteOffset, Math.floor(length / size))
}

function swapBytes(data: FileData): void {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  if (data.BYTES_PER_ELEMENT === 2) bytes.swap16()
  else if (data.BYTES_PER_ELEMENT === 4) bytes.swap32()
  else if (data.BYTES_PER_ELEMENT === 8) bytes.swap64()
}

function widened(dtype: FileDtype, data: FileData): FileData {
  if (dtype === 'F16') return f16ToF32(data as Uint16Array)
  if (dtype === 'BF16') return bf16ToF32(data as Uint16Array)
  return data
}

/**
 * The numbers of a floating-point tensor as float32; float64 is rounded.
 * @param what file and tensor, for the message
 * @throws MonosemError format: the tensor holds no floating-point numbers
 */
export function float32Of(what: string, { dtype, data }: FileTensor): Float32Array {
  if (data instanceof Float32Array) return data
  if (data instanceof Float64Array) return Float32Array.from(data)
  throw new MonosemError('format', `${what}: expected floating-point numbers, got ${dtype}`)
}
