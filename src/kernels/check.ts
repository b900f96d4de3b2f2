import { MonosemError } from '../errors/monosem-error.js'
import type { AdamOptions, DType, GeluKind, Tensor } from './kernels.js'

/*
 * Argument checks of the kernels, one per operation with the operation's own arguments, shared by every
 * implementation so that a mistake gives the same MonosemError('shape') wherever it runs. They look at shapes,
 * types and plain numbers only, never at the content of a tensor. The checks of the SAE are in check-sae.ts.
 */

type Data = Float32Array | Int32Array

const F32: readonly DType[] = ['f32']
const I32: readonly DType[] = ['i32']
const FLOATS: readonly DType[] = ['f32', 'bf16']

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

const dtypeOf = (data: Data): DType => (data instanceof Int32Array ? 'i32' : 'f32')

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

/** f32 and bf16 take a Float32Array, i32 an Int32Array. */
export function checkWrite(t: Tensor, data: Data): void {
  expectData('write', data)
  const count = elementCount(t.shape)
  if (data.length !== count)
    throw misfit('write', `${count} values for ${shapeText(t.shape)}`, `${data.length}`)
  if ((dtypeOf(data) === 'i32') !== (t.dtype === 'i32'))
    throw misfit('write', `data for ${t.dtype}`, dtypeOf(data))
}

export function checkReadF32(t: Tensor): void {
  if (t.dtype === 'i32') throw misfit('readF32', 'a tensor of type f32 or bf16', t.dtype)
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

export function checkAddInPlace(y: Tensor, x: Tensor): void {
  expectTensor('addInPlace', 'y', y, y.shape)
  expectTensor('addInPlace', 'x', x, y.shape)
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

// ---- transformer layers ----

export function checkLinearForward(out: Tensor, x: Tensor, w: Tensor, b: Tensor | null): void {
  const [n, i] = expectTensor('linearForward', 'x', x, ['N', 'I'])
  const [, o] = expectTensor('linearForward', 'out', out, [n, 'O'])
  expectTensor('linearForward', 'w', w, [i, o])
  if (b !== null) expectTensor('linearForward', 'b', b, [o])
}

export function checkLinearBackward(
  dx: Tensor | null,
  dW: Tensor | null,
  db: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
): void {
  const [n, i] = expectTensor('linearBackward', 'x', x, ['N', 'I'])
  const [, o] = expectTensor('linearBackward', 'dout', dout, [n, 'O'])
  expectTensor('linearBackward', 'w', w, [i, o])
  if (dx !== null) expectTensor('linearBackward', 'dx', dx, [n, i])
  if (dW !== null) expectTensor('linearBackward', 'dW', dW, [i, o])
  if (db !== null) expectTensor('linearBackward', 'db', db, [o])
}

export function checkEmbedForward(
  out: Tensor,
  tokens: Tensor,
  wE: Tensor,
  wPos: Tensor | null,
  t: number,
): void {
  const [n, d] = expectTensor('embedForward', 'out', out, ['N', 'D'])
  expectInts('embedForward', 'tokens', tokens, [n])
  expectTensor('embedForward', 'wE', wE, ['V', d])
  expectPositions('embedForward', 'wPos', wPos, t, d)
}

export function checkEmbedBackward(
  dWE: Tensor,
  dWPos: Tensor | null,
  dout: Tensor,
  tokens: Tensor,
  t: number,
): void {
  const [n, d] = expectTensor('embedBackward', 'dout', dout, ['N', 'D'])
  expectInts('embedBackward', 'tokens', tokens, [n])
  expectTensor('embedBackward', 'dWE', dWE, ['V', d])
  expectPositions('embedBackward', 'dWPos', dWPos, t, d)
}

function expectPositions(op: string, name: string, wPos: Tensor | null, t: number, d: number): void {
  expectInteger(op, 't', t, 1)
  if (wPos === null) return
  const [rows] = expectTensor(op, name, wPos, ['T', d])
  if (rows < t) throw misfit(op, `${name} with at least ${t} rows`, shapeText(wPos.shape))
}

export function checkLayerNormForward(
  out: Tensor,
  mean: Tensor,
  rstd: Tensor,
  x: Tensor,
  w: Tensor,
  b: Tensor,
  epsilon: number,
): void {
  const [n, d] = expectTensor('layerNormForward', 'x', x, ['N', 'D'])
  expectTensor('layerNormForward', 'out', out, [n, d])
  expectTensor('layerNormForward', 'mean', mean, [n])
  expectTensor('layerNormForward', 'rstd', rstd, [n])
  expectTensor('layerNormForward', 'w', w, [d])
  expectTensor('layerNormForward', 'b', b, [d])
  expectNumber('layerNormForward', 'epsilon', epsilon, 0)
}

export function checkLayerNormBackward(
  dx: Tensor,
  dW: Tensor | null,
  db: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
  mean: Tensor,
  rstd: Tensor,
): void {
  const [n, d] = expectTensor('layerNormBackward', 'x', x, ['N', 'D'])
  expectTensor('layerNormBackward', 'dx', dx, [n, d])
  expectTensor('layerNormBackward', 'dout', dout, [n, d])
  expectTensor('layerNormBackward', 'w', w, [d])
  expectTensor('layerNormBackward', 'mean', mean, [n])
  expectTensor('layerNormBackward', 'rstd', rstd, [n])
  if (dW !== null) expectTensor('layerNormBackward', 'dW', dW, [d])
  if (db !== null) expectTensor('layerNormBackward', 'db', db, [d])
}

function expectGelu(op: string, kind: GeluKind): void {
  if (kind !== 'tanh' && kind !== 'erf') throw misfit(op, 'kind tanh or erf', String(kind))
}

export function checkGeluForward(out: Tensor, x: Tensor, kind: GeluKind): void {
  expectTensor('geluForward', 'x', x, x.shape)
  expectTensor('geluForward', 'out', out, x.shape)
  expectGelu('geluForward', kind)
}

export function checkGeluBackward(dx: Tensor, dout: Tensor, x: Tensor, kind: GeluKind): void {
  expectTensor('geluBackward', 'x', x, x.shape)
  expectTensor('geluBackward', 'dx', dx, x.shape)
  expectTensor('geluBackward', 'dout', dout, x.shape)
  expectGelu('geluBackward', kind)
}

/** Every tensor of attention: pattern gives B, H and T, the others are [B*T, H*head width]. */
function expectAttention(
  op: string,
  pattern: Tensor,
  wide: Record<string, Tensor>,
  starts: Tensor | null,
): void {
  const [b, h, t] = expectTensor(op, 'pattern', pattern, ['B', 'H', 'T', 'T'])
  expectTensor(op, 'pattern', pattern, [b, h, t, t])
  const [, width] = expectTensor(op, 'q', wide.q, [b * t, 'H*width'])
  if (h < 1 || width % h !== 0) throw misfit(op, `a width of q that ${h} heads divide`, String(width))
  for (const [name, tensor] of Object.entries(wide)) expectTensor(op, name, tensor, [b * t, width])
  if (starts !== null) expectInts(op, 'starts', starts, [b * t])
}

export function checkAttentionForward(
  z: Tensor,
  pattern: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  starts: Tensor | null,
): void {
  expectAttention('attentionForward', pattern, { q, k, v, z }, starts)
}

export function checkAttentionBackward(
  dq: Tensor,
  dk: Tensor,
  dv: Tensor,
  dz: Tensor,
  pattern: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  starts: Tensor | null,
): void {
  expectAttention('attentionBackward', pattern, { q, k, v, dz, dq, dk, dv }, starts)
}

export function checkAttentionCachedForward(
  z: Tensor,
  pattern: Tensor,
  q: Tensor,
  keys: Tensor,
  values: Tensor,
  sequences: Tensor,
  lengths: Tensor,
): void {
  const op = 'attentionCachedForward'
  const [n, heads, s] = expectTensor(op, 'pattern', pattern, ['N', 'H', 'S'])
  const [, width] = expectTensor(op, 'q', q, [n, 'H*width'])
  if (heads < 1 || width % heads !== 0)
    throw misfit(op, `a width of q that ${heads} heads divide`, String(width))
  expectTensor(op, 'z', z, [n, width])
  const [b] = expectTensor(op, 'keys', keys, ['B', s, width])
  expectTensor(op, 'values', values, [b, s, width])
  expectInts(op, 'sequences', sequences, [n])
  expectInts(op, 'lengths', lengths, [n])
}

export function checkCrossEntropyForward(losses: Tensor, logits: Tensor, targets: Tensor): void {
  const [n] = expectTensor('crossEntropyForward', 'logits', logits, ['N', 'V'])
  expectTensor('crossEntropyForward', 'losses', losses, [n])
  expectInts('crossEntropyForward', 'targets', targets, [n])
}

export function checkCrossEntropyBackward(
  dlogits: Tensor,
  logits: Tensor,
  targets: Tensor,
  scale: number,
): void {
  const [n, v] = expectTensor('crossEntropyBackward', 'logits', logits, ['N', 'V'])
  expectTensor('crossEntropyBackward', 'dlogits', dlogits, [n, v])
  expectInts('crossEntropyBackward', 'targets', targets, [n])
  expectNumber('crossEntropyBackward', 'scale', scale)
}

export function checkKlDivergence(out: Tensor, p: Tensor, q: Tensor): void {
  const [n, v] = expectTensor('klDivergence', 'p', p, ['N', 'V'])
  expectTensor('klDivergence', 'q', q, [n, v])
  expectTensor('klDivergence', 'out', out, [n])
}
