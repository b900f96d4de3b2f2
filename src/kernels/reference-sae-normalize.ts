import type { SaeInputNorm, Tensor } from './kernels.js'
import { f32 } from './reference-tensor.js'

const layerNormEpsilon = 1e-5

/** out [N, D] (or null), offsets [N], scales [N], x [N, D] */
export function saeNormalize(
  out: Tensor | null,
  offsets: Tensor,
  scales: Tensor,
  x: Tensor,
  norm: SaeInputNorm,
): void {
  const [count, d] = x.shape
  for (let n = 0; n < count; n++) {
    const row = Float64Array.from(f32(x).subarray(n * d, (n + 1) * d))
    const { offset, scale, epsilon } = norm === 'layer_norm' ? meanAndDeviation(row) : rootMeanSquare(row)
    f32(offsets)[n] = offset
    f32(scales)[n] = scale
    const divisor = scale + epsilon
    if (out !== null)
      f32(out).set(
        row.map((value) => (divisor === 0 ? 0 : (value - offset) / divisor)),
        n * d,
      )
  }
}

/** Moments of a row as layer_norm takes them. */
interface RowScale {
  offset: number
  scale: number
  epsilon: number
}

function meanAndDeviation(row: Float64Array): RowScale {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length
  const squares = row.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { offset: mean, scale: Math.sqrt(squares / Math.max(1, row.length - 1)), epsilon: layerNormEpsilon }
}

function rootMeanSquare(row: Float64Array): RowScale {
  const squares = row.reduce((sum, value) => sum + value * value, 0)
  return { offset: 0, scale: Math.sqrt(squares / row.length), epsilon: 0 }
}

/** y [N, D] times scales [N] plus offsets [N] (or null: 0) */
export function saeDenormalizeInPlace(y: Tensor, offsets: Tensor | null, scales: Tensor): void {
  const d = y.shape[1]
  const values = f32(y)
  for (let i = 0; i < values.length; i++) {
    const n = Math.floor(i / d)
    values[i] = values[i] * f32(scales)[n] + (offsets === null ? 0 : f32(offsets)[n])
  }
}

/** losses [N] = ||y[n] - xHat[n]||^2 */
export function saeSquaredErrors(losses: Tensor, y: Tensor, xHat: Tensor): void {
  const [count, d] = y.shape
  const [wanted, found] = [f32(y), f32(xHat)]
  for (let n = 0; n < count; n++) {
    let sum = 0
    for (let i = n * d; i < (n + 1) * d; i++) sum += (wanted[i] - found[i]) ** 2
    f32(losses)[n] = sum
  }
}
