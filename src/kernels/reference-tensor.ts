import { MonosemError } from '../errors/monosem-error.js'
import { fromBf16, toBf16 } from './bf16.js'
import { elementCount, misfit, shapeText } from './check.js'
import type { DType, SaePacked, Tensor } from './kernels.js'

type Data = Float32Array | Int32Array | Uint16Array

/** Memory that one or more tensors are windows on; null once it is freed. */
interface Storage {
  data: Data | null
}

/** A tensor in ordinary JavaScript memory: a window on its storage that begins at element `offset`. */
export class ReferenceTensor implements Tensor {
  constructor(
    readonly shape: readonly number[],
    readonly dtype: DType,
    readonly storage: Storage,
    readonly offset = 0,
  ) {}

  /** The window; bf16 as the 16 bits of each value. Throws after free. */
  get data(): Data {
    const { data } = this.storage
    if (data === null) throw usedAfterFree(this)
    return data.subarray(this.offset, this.offset + elementCount(this.shape))
  }
}

const usedAfterFree = (t: Tensor): MonosemError =>
  new MonosemError('shape', `a tensor ${shapeText(t.shape)} was used after free`)

/** Zeros of a shape and type. */
export function allocate(shape: readonly number[], dtype: DType): ReferenceTensor {
  const count = elementCount(shape)
  const data =
    dtype === 'f32'
      ? new Float32Array(count)
      : dtype === 'i32'
        ? new Int32Array(count)
        : new Uint16Array(count)
  return new ReferenceTensor([...shape], dtype, { data })
}

/** The tensor as one of ours that still owns its memory. */
export function live(t: Tensor): ReferenceTensor {
  if (!(t instanceof ReferenceTensor)) {
    throw new MonosemError(
      'shape',
      `a tensor ${shapeText(t.shape)} of other kernels was given to the reference kernels`,
    )
  }
  if (t.storage.data === null) throw usedAfterFree(t)
  return t
}

/** What stands for a packed W_enc here: the reference reads W_enc itself, so only the life of the copy is kept. */
export class ReferencePacked implements SaePacked {
  readonly precision = 'fp32'
  freed = false

  constructor(readonly shape: readonly number[]) {}
}

/** The packed W_enc as one of ours that was not freed. */
export function livePacked(packed: SaePacked): ReferencePacked {
  if (!(packed instanceof ReferencePacked)) {
    throw new MonosemError('shape', 'a packed W_enc of other kernels was given to the reference kernels')
  }
  if (packed.freed) {
    throw new MonosemError('shape', `a packed W_enc ${shapeText(packed.shape)} was used after free`)
  }
  return packed
}

/** Checks every tensor among the arguments of an operation, also those inside lists and records. */
export function expectLive(value: unknown): void {
  if (value instanceof ReferenceTensor) live(value)
  else if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return
  else if ('dtype' in value && 'shape' in value) live(value as Tensor)
  else for (const inner of Object.values(value)) expectLive(inner)
}

/** The values of an f32 tensor, to read and to write. */
export const f32 = (t: Tensor): Float32Array => live(t).data as Float32Array

/** The values of an f32 or bf16 tensor, to read: bf16 widened into a copy. */
export function floats(t: Tensor): Float32Array {
  if (t.dtype === 'f32') return f32(t)
  const wide = allocate(t.shape, 'f32')
  convert(wide, 0, t, 0, elementCount(t.shape))
  return wide.data as Float32Array
}

/** The values of an i32 tensor. */
export const i32 = (t: Tensor): Int32Array => live(t).data as Int32Array

/** Copies `count` elements from one flat index to another, converting between f32 and bf16. */
export function convert(dst: Tensor, dstStart: number, src: Tensor, srcStart: number, count: number): void {
  const to = live(dst).data
  const from = live(src).data.subarray(srcStart, srcStart + count)
  if (dst.dtype === src.dtype) to.set(from, dstStart)
  else if (dst.dtype === 'bf16') for (let i = 0; i < count; i++) to[dstStart + i] = toBf16(from[i])
  else for (let i = 0; i < count; i++) to[dstStart + i] = fromBf16(from[i])
}

/** The values of an i32 tensor, each required to be within [minimum, count). */
export function indices(op: string, name: string, t: Tensor, count: number, minimum = 0): Int32Array {
  const ids = i32(t)
  const wrong = ids.findIndex((id) => id < minimum || id >= count)
  if (wrong < 0) return ids
  throw misfit(op, `${name}[${wrong}] in ${minimum} .. ${count - 1}`, String(ids[wrong]))
}

/** target[offset + i] += values[i] */
export function accumulate(target: Float32Array, offset: number, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) target[offset + i] += values[i]
}

/** Sum of `count` products, from two starts. */
export function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number, count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += a[aStart + i] * b[bStart + i]
  return sum
}
