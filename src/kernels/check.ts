import { MonosemError } from '../errors/monosem-error.js'
import type { AdamOptions, DType, Tensor } from './kernels.js'

/*
 * Argument checks of the kernels, one per operation with the operation's own arguments, shared by every
 * implementation so that a mistake gives the same MonosemError('shape') wherever it runs. They look at shapes,
 * types and plain numbers only, never at the content of a tensor. The checks of the transformer's layers are in
 * check-transformer.ts, those of the SAE in check-sae.ts.
 */

type Data = Float32Array | Int32Array
type RawData = Data | Uint16Array

const F32: readonly DType[] = ['f32']
const I32: readonly DType[] = ['i32']
export const FLOATS: readonly DType[] = ['f32', 'bf16']

export const shapeText = (shape: readonly (number | string)[]): string => `[${shape.join(', ')}]`

/** Number of elements of a shape; 1 for []. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** An argument that does not fit: `op: expected ..., got ...`. */
export function misfit(op: string, expected: string, got: string): MonosemError {
  return new MonosemError('shape', `${op}: expected ${expected}, got ${got}`)
}

/**
 * Requires a shape and a type; a letter in `shape` stands for any length. Returns the actual shape, so that the
 * lengths found can be asked of the next tensor.
 */
export function expectTensor(
  op: string,
  name: string,
  t: Tensor,
  shape: readonly (number | string)[],
  dtypes: readonly DType[] = F32,
): readonly number[] {
  const fits =
    t.shape.length === shape.length && shape.every((s, i) => typeof s === 'string' || s === t.shape[i])
  if (!fits) throw misfit(op, `${name} ${shapeText(shape)}`, shapeText(t.shape))
  if (!dtypes.includes(t.dtype)) throw misfit(op, `${name} of type ${dtypes.join(' or ')}`, t.dtype)
  return t.shape
}

/** Requires a tensor of 32-bit integers. */
export function expectInts(op: string, name: string, t: Tensor, shape: readonly (number | string)[]): void {
  expectTensor(op, name, t, shape, I32)
}

/** Requires a finite number within [minimum, maximum]. */
export function expectNumber(
  op: string,
  name: string,
  value: number,
  minimum = -Infinity,
  maximum = Infinity,
): void {
  if (typeof value === 'number' && Number.isFinite(value) && value >= minimum && value <= maximum) return
  const range = minimum === -Infinity && maximum === Infinity ? 'finite' : `in [${minimum}, ${maximum}]`
  throw misfit(op, `${name} ${range}`, String(value))
}

/** Requires an integer within [minimum, maximum]. */
export function expectInteger(
  op: string,
  name: string,
  value: number,
  minimum: number,
  maximum = 2 ** 31,
): void {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return
  throw misfit(op, `an integer ${name} in [${minimum}, ${maximum}]`, String(value))
}

// ---- memory ----

function expectShape(op: string, shape: readonly number[]): void {
  if (shape.every((s) => Number.isInteger(s) && s >= 0)) return
  throw misfit(op, 'a shape of non-negative integers', shapeText(shape))
}

/** The type that an array's elements have as they are: the 16 bits of a Uint16Array are bf16. */
export function dtypeOf(data: RawData): DType {
  if (data instanceof Uint16Array) return 'bf16'
  return data instanceof Int32Array ? 'i32' : 'f32'
}

export function checkZeros(shape: readonly number[], dtype: DType = 'f32'): void {
  expectShape('zeros', shape)
  if (!['f32', 'bf16', 'i32'].includes(dtype)) throw misfit('zeros', 'type f32, bf16 or i32', String(dtype))
}

function expectData(op: string, data: Data): void {
  if (data instanceof Float32Array || data instanceof Int32Array) return
  throw misfit(op, 'a Float32Array or an Int32Array', Object.prototype.toString.call(data))
}

export function checkTensor(data: Data, shape: readonly number[]): void {
  expectShape('tensor', shape)
  expectData('tensor', data)
  const count = elementCount(shape)
  if (data.length !== count)
    throw misfit('tensor', `${count} values for ${shapeText(shape)}`, `${data.length}`)
}

export function checkRows(t: Tensor, start: number, count: number): void {
  if (t.shape.length === 0) throw misfit('rows', 'a tensor with at least one axis', '[]')
  expectInteger('rows', 'start', start, 0, t.shape[0])
  expectInteger('rows', 'count', count, 0, t.shape[0] - start)
}

export function checkReshape(t: Tensor, shape: readonly number[]): void {
  expectShape('reshape', shape)
  if (elementCount(shape) === elementCount(t.shape)) return
  throw misfit(
    'reshape',
    `a shape with the ${elementCount(t.shape)} elements of ${shapeText(t.shape)}`,
    shapeText(shape),
  )
}

/** f32 takes a Float32Array, bf16 one too or its bits as a Uint16Array, i32 an Int32Array. */
export function checkWrite(t: Tensor, data: RawData): void {
  if (!(data instanceof Uint16Array)) expectData('write', data)
  const count = elementCount(t.shape)
  if (data.length !== count)
    throw misfit('write', `${count} values for ${shapeText(t.shape)}`, `${data.length}`)
  const given = dtypeOf(data)
  if (given !== t.dtype && !(given === 'f32' && t.dtype === 'bf16'))
    throw misfit('write', `data for ${t.dtype}`, given)
}

export function checkReadF32(t: Tensor, into?: Float32Array): void {
  if (t.dtype === 'i32') throw misfit('readF32', 'a tensor of type f32 or bf16', t.dtype)
  const count = elementCount(t.shape)
  if (into !== undefined && !(into instanceof Float32Array && into.length === count))
    throw misfit(
      'readF32',
      `a Float32Array of ${count} elements to fill`,
      `${(into as Float32Array)?.length}`,
    )
}

// ---- elementwise and reductions ----

/** Any type; an integer value for i32. */
export function checkFill(t: Tensor, value: number): void {
  if (t.dtype === 'i32') expectInteger('fill', 'value', value, -(2 ** 31), 2 ** 31 - 1)
  else if (typeof value !== 'number') throw misfit('fill', 'a number', String(value))
}

/** f32 and bf16 in any combination, or i32 to i32. */
export function checkCopy(dst: Tensor, src: Tensor): void {
  if (elementCount(dst.shape) !== elementCount(src.shape)) {
    throw misfit('copy', `src with as many elements as dst ${shapeText(dst.shape)}`, shapeText(src.shape))
  }
  if ((dst.dtype === 'i32') !== (src.dtype === 'i32'))
    throw misfit('copy', `src that fits ${dst.dtype}`, src.dtype)
}

/** f32 and bf16 in any combination. */
export function checkTranspose(out: Tensor, x: Tensor): void {
  const [r, c] = expectTensor('transpose', 'x', x, ['R', 'C'], FLOATS)
  expectTensor('transpose', 'out', out, [c, r], FLOATS)
}

export function checkAddInPlace(y: Tensor, x: Tensor): void {
  expectTensor('addInPlace', 'y', y, y.shape)
  expectTensor('addInPlace', 'x', x, y.shape)
}

/** Requires an f32 tensor with as many elements as another, whatever their shapes. */
export function expectSameCount(op: string, name: string, t: Tensor, otherName: string, other: Tensor): void {
  if (elementCount(t.shape) !== elementCount(other.shape))
    throw misfit(
      op,
      `${name} with as many elements as ${otherName} ${shapeText(other.shape)}`,
      shapeText(t.shape),
    )
  expectTensor(op, name, t, t.shape)
}

export function checkAdd(out: Tensor, a: Tensor, b: Tensor): void {
  expectTensor('add', 'out', out, out.shape)
  expectSameCount('add', 'a', a, 'out', out)
  expectSameCount('add', 'b', b, 'out', out)
}

export function checkScaleInPlace(y: Tensor, factor: number): void {
  expectTensor('scaleInPlace', 'y', y, y.shape)
  expectNumber('scaleInPlace', 'factor', factor)
}

export function checkBroadcastRow(out: Tensor, row: Tensor): void {
  const [, d] = expectTensor('broadcastRow', 'out', out, ['N', 'D'])
  expectTensor('broadcastRow', 'row', row, [d])
}

export function checkColumnSums(out: Tensor, x: Tensor): void {
  const [, d] = expectTensor('columnSums', 'x', x, ['N', 'D'])
  expectTensor('columnSums', 'out', out, [d])
}

export function checkGatherRows(out: Tensor, src: Tensor, ids: Tensor): void {
  const [n, d] = expectTensor('gatherRows', 'out', out, ['n', 'D'], FLOATS)
  expectTensor('gatherRows', 'src', src, ['M', d], FLOATS)
  expectInts('gatherRows', 'ids', ids, [n])
}

export function checkScatterRows(dst: Tensor, x: Tensor, ids: Tensor): void {
  const [n, d] = expectTensor('scatterRows', 'x', x, ['n', 'D'], FLOATS)
  expectTensor('scatterRows', 'dst', dst, ['M', d], FLOATS)
  expectInts('scatterRows', 'ids', ids, [n])
}

export function checkClipNorm(out: Tensor, grads: readonly Tensor[], maxNorm: number): void {
  expectTensor('clipNorm', 'out', out, [2])
  grads.forEach((g, i) => {
    expectTensor('clipNorm', `grads[${i}]`, g, g.shape)
  })
  expectNumber('clipNorm', 'maxNorm', maxNorm, 0)
}

/** learningRate, weightDecay >= 0; beta1, beta2 in [0, 1); epsilon > 0; step >= 1. */
export function checkAdamOptions(op: string, options: AdamOptions): void {
  expectNumber(op, 'learningRate', options.learningRate, 0)
  expectNumber(op, 'beta1', options.beta1, 0, 1 - 2 ** -24)
  expectNumber(op, 'beta2', options.beta2, 0, 1 - 2 ** -24)
  expectNumber(op, 'epsilon', options.epsilon, Number.MIN_VALUE)
  expectNumber(op, 'weightDecay', options.weightDecay, 0)
  expectInteger(op, 'step', options.step, 1, Number.MAX_SAFE_INTEGER)
}

export function checkAdam(
  p: Tensor,
  g: Tensor,
  m: Tensor,
  v: Tensor,
  options: AdamOptions,
  gradScale: Tensor | null,
): void {
  expectTensor('adam', 'p', p, p.shape)
  expectTensor('adam', 'g', g, p.shape)
  expectTensor('adam', 'm', m, p.shape)
  expectTensor('adam', 'v', v, p.shape)
  if (gradScale !== null) expectTensor('adam', 'gradScale', gradScale, [2])
  checkAdamOptions('adam', options)
}
