import { toBf16 } from './bf16.js'
import { elementCount } from './check.js'
import type { AdamOptions, Tensor } from './kernels.js'
import { convert, f32, indices, live } from './reference-tensor.js'

/** t = value */
export function fill(t: Tensor, value: number): void {
  live(t).data.fill(t.dtype === 'bf16' ? toBf16(value) : value)
}

/** dst = src */
export function copy(dst: Tensor, src: Tensor): void {
  convert(dst, 0, src, 0, elementCount(src.shape))
}

/** out [C, R] = x [R, C] transposed */
export function transpose(out: Tensor, x: Tensor): void {
  const [r, c] = x.shape
  for (let i = 0; i < r; i++) for (let j = 0; j < c; j++) convert(out, j * r + i, x, i * c + j, 1)
}

/** out = a + b */
export function add(out: Tensor, a: Tensor, b: Tensor): void {
  const [outs, as, bs] = [f32(out), f32(a), f32(b)]
  for (let i = 0; i < outs.length; i++) outs[i] = as[i] + bs[i]
}

/** y += x */
export function addInPlace(y: Tensor, x: Tensor): void {
  const ys = f32(y)
  const xs = f32(x)
  for (let i = 0; i < ys.length; i++) ys[i] += xs[i]
}

/** y *= factor */
export function scaleInPlace(y: Tensor, factor: number): void {
  const ys = f32(y)
  for (let i = 0; i < ys.length; i++) ys[i] *= factor
}

/** y += weight (x - y) */
export function mixInPlace(y: Tensor, x: Tensor, weight: number): void {
  const ys = f32(y)
  const xs = f32(x)
  for (let i = 0; i < ys.length; i++) ys[i] += weight * (xs[i] - ys[i])
}

/** out [N, D], row [D] */
export function broadcastRow(out: Tensor, row: Tensor): void {
  const outs = f32(out)
  const rows = f32(row)
  for (let i = 0; i < outs.length; i++) outs[i] = rows[i % rows.length]
}

/** out [D], x [N, D] */
export function columnSums(out: Tensor, x: Tensor): void {
  const [n, d] = x.shape
  const outs = f32(out)
  const xs = f32(x)
  for (let j = 0; j < d; j++) {
    let sum = 0
    for (let i = 0; i < n; i++) sum += xs[i * d + j]
    outs[j] = sum
  }
}

/** out [n, D], src [M, D], ids [n] */
export function gatherRows(out: Tensor, src: Tensor, ids: Tensor): void {
  const [m, d] = src.shape
  indices('gatherRows', 'ids', ids, m).forEach((id, i) => {
    convert(out, i * d, src, id * d, d)
  })
}

/** dst [M, D], x [n, D], ids [n] */
export function scatterRows(dst: Tensor, x: Tensor, ids: Tensor): void {
  const [m, d] = dst.shape
  indices('scatterRows', 'ids', ids, m).forEach((id, i) => {
    convert(dst, id * d, x, i * d, d)
  })
}

/** out [2] = (norm, factor) */
export function clipNorm(out: Tensor, grads: readonly Tensor[], maxNorm: number): void {
  let sum = 0
  for (const grad of grads) for (const g of f32(grad)) sum += g * g
  const norm = Math.sqrt(sum)
  const outs = f32(out)
  outs[0] = norm
  outs[1] = norm === 0 ? 1 : Math.min(1, maxNorm / norm)
}

/** One parameter tensor; gradScale [2] or null. */
export function adam(
  p: Tensor,
  g: Tensor,
  m: Tensor,
  v: Tensor,
  options: AdamOptions,
  gradScale: Tensor | null,
): void {
  const scale = gradScale === null ? 1 : f32(gradScale)[1]
  adamUpdate(f32(p), f32(g), f32(m), f32(v), options, scale)
}

/** AdamW (Loshchilov & Hutter 2019, algorithm 2) on plain arrays; the gradient may be kept in float64. */
export function adamUpdate(
  p: Float32Array,
  gradient: Float32Array | Float64Array,
  m: Float32Array,
  v: Float32Array,
  options: AdamOptions,
  gradScale = 1,
): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step } = options
  const correction1 = 1 - beta1 ** step
  const correction2 = 1 - beta2 ** step
  for (let i = 0; i < p.length; i++) {
    const g = gradient[i] * gradScale
    m[i] = beta1 * m[i] + (1 - beta1) * g
    v[i] = beta2 * v[i] + (1 - beta2) * g * g
    const direction = m[i] / correction1 / (Math.sqrt(v[i] / correction2) + epsilon)
    p[i] -= learningRate * (direction + weightDecay * p[i])
  }
}
