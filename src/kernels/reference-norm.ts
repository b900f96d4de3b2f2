import type { Tensor } from './kernels.js'
import { accumulate, f32 } from './reference-tensor.js'

/** Ba et al. 2016: out, x [N, D], mean, rstd [N], w, b [D]; the variance is the population's. */
export function layerNormForward(
  out: Tensor,
  mean: Tensor,
  rstd: Tensor,
  x: Tensor,
  w: Tensor,
  b: Tensor,
  epsilon: number,
): void {
  const [n, d] = x.shape
  const [outs, means, rstds, xs, ws, bs] = [f32(out), f32(mean), f32(rstd), f32(x), f32(w), f32(b)]
  for (let r = 0; r < n; r++) {
    let sum = 0
    for (let j = 0; j < d; j++) sum += xs[r * d + j]
    const mu = sum / d
    let squares = 0
    for (let j = 0; j < d; j++) squares += (xs[r * d + j] - mu) ** 2
    const scale = 1 / Math.sqrt(squares / d + epsilon)
    for (let j = 0; j < d; j++) outs[r * d + j] = (xs[r * d + j] - mu) * scale * ws[j] + bs[j]
    means[r] = mu
    rstds[r] = scale
  }
}

/** dx [N, D] overwritten; dW, db [D] grow. With xn = (x - mean) rstd and g = dout w: dx = rstd (g - mean(g) - xn mean(g xn)). */
export function layerNormBackward(
  dx: Tensor,
  dW: Tensor | null,
  db: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
  mean: Tensor,
  rstd: Tensor,
): void {
  const [n, d] = x.shape
  const [dxs, douts, xs, ws, means, rstds] = [f32(dx), f32(dout), f32(x), f32(w), f32(mean), f32(rstd)]
  const dWs = new Float64Array(d)
  const dbs = new Float64Array(d)
  const normal = new Float64Array(d)
  const g = new Float64Array(d)
  for (let r = 0; r < n; r++) {
    let gSum = 0
    let gNormalSum = 0
    for (let j = 0; j < d; j++) {
      const dy = douts[r * d + j]
      normal[j] = (xs[r * d + j] - means[r]) * rstds[r]
      g[j] = dy * ws[j]
      gSum += g[j]
      gNormalSum += g[j] * normal[j]
      dWs[j] += dy * normal[j]
      dbs[j] += dy
    }
    for (let j = 0; j < d; j++) dxs[r * d + j] = rstds[r] * (g[j] - gSum / d - (normal[j] * gNormalSum) / d)
  }
  if (dW !== null) accumulate(f32(dW), 0, dWs)
  if (db !== null) accumulate(f32(db), 0, dbs)
}

/** Zhang & Sennrich 2019: out, x [N, D], rstd [N], w [D] */
export function rmsNormForward(out: Tensor, rstd: Tensor, x: Tensor, w: Tensor, epsilon: number): void {
  const [n, d] = x.shape
  const [outs, rstds, xs, ws] = [f32(out), f32(rstd), f32(x), f32(w)]
  for (let r = 0; r < n; r++) {
    let squares = 0
    for (let j = 0; j < d; j++) squares += xs[r * d + j] ** 2
    const scale = 1 / Math.sqrt(squares / d + epsilon)
    for (let j = 0; j < d; j++) outs[r * d + j] = xs[r * d + j] * scale * ws[j]
    rstds[r] = scale
  }
}

/** dx [N, D] overwritten; dW [D] grows. With xn = x rstd and g = dout w: dx = rstd (g - xn mean(g xn)). */
export function rmsNormBackward(
  dx: Tensor,
  dW: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
  rstd: Tensor,
): void {
  const [n, d] = x.shape
  const [dxs, douts, xs, ws, rstds] = [f32(dx), f32(dout), f32(x), f32(w), f32(rstd)]
  const dWs = new Float64Array(d)
  for (let r = 0; r < n; r++) {
    const normal = (j: number): number => xs[r * d + j] * rstds[r]
    let sum = 0
    for (let j = 0; j < d; j++) {
      sum += douts[r * d + j] * ws[j] * normal(j)
      dWs[j] += douts[r * d + j] * normal(j)
    }
    for (let j = 0; j < d; j++) {
      dxs[r * d + j] = rstds[r] * (douts[r * d + j] * ws[j] - (normal(j) * sum) / d)
    }
  }
  if (dW !== null) accumulate(f32(dW), 0, dWs)
}
