import { misfit } from './check.js'
import type { GeluKind, Tensor } from './kernels.js'
import { f32, i32, indices } from './reference-tensor.js'

/** out [N, O] = x [N, I] w [I, O] + b [O] */
export function linearForward(out: Tensor, x: Tensor, w: Tensor, b: Tensor | null): void {
  const [n, inner] = x.shape
  const o = w.shape[1]
  const [outs, xs, ws] = [f32(out), f32(x), f32(w)]
  const bias = b === null ? new Float32Array(o) : f32(b)
  const row = new Float64Array(o)
  for (let r = 0; r < n; r++) {
    row.set(bias)
    for (let i = 0; i < inner; i++) {
      const xv = xs[r * inner + i]
      for (let c = 0; c < o; c++) row[c] += xv * ws[i * o + c]
    }
    outs.set(row, r * o)
  }
}

/** dx = dout w^T, dW += x^T dout, db += column sums of dout */
export function linearBackward(
  dx: Tensor | null,
  dW: Tensor | null,
  db: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
): void {
  const [n, inner] = x.shape
  const o = w.shape[1]
  const [douts, xs, ws] = [f32(dout), f32(x), f32(w)]
  const row = new Float64Array(o)
  for (let i = 0; dW !== null && i < inner; i++) {
    row.fill(0)
    for (let r = 0; r < n; r++) {
      const xv = xs[r * inner + i]
      for (let c = 0; c < o; c++) row[c] += xv * douts[r * o + c]
    }
    accumulate(f32(dW), i * o, row)
  }
  if (db !== null) {
    row.fill(0)
    for (let r = 0; r < n; r++) for (let c = 0; c < o; c++) row[c] += douts[r * o + c]
    accumulate(f32(db), 0, row)
  }
  if (dx === null) return
  const dxs = f32(dx)
  for (let r = 0; r < n; r++) {
    for (let i = 0; i < inner; i++) dxs[r * inner + i] = dot(douts, r * o, ws, i * o, o)
  }
}

/** target[offset + i] += values[i] */
function accumulate(target: Float32Array, offset: number, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) target[offset + i] += values[i]
}

function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number, count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += a[aStart + i] * b[bStart + i]
  return sum
}

/** out [N, D], tokens [N], wE [V, D], wPos [>= T, D] */
export function embedForward(out: Tensor, tokens: Tensor, wE: Tensor, wPos: Tensor | null, t: number): void {
  const [vocabulary, d] = wE.shape
  const [outs, es] = [f32(out), f32(wE)]
  const positions = wPos === null ? null : f32(wPos)
  indices('embedForward', 'tokens', tokens, vocabulary).forEach((token, n) => {
    for (let j = 0; j < d; j++) {
      outs[n * d + j] = es[token * d + j] + (positions === null ? 0 : positions[(n % t) * d + j])
    }
  })
}

/** dWE [V, D] and dWPos [>= T, D] grow by dout [N, D] */
export function embedBackward(
  dWE: Tensor,
  dWPos: Tensor | null,
  dout: Tensor,
  tokens: Tensor,
  t: number,
): void {
  const [vocabulary, d] = dWE.shape
  const douts = f32(dout)
  const sums = Float64Array.from(f32(dWE))
  const positionSums = dWPos === null ? null : Float64Array.from(f32(dWPos))
  indices('embedBackward', 'tokens', tokens, vocabulary).forEach((token, n) => {
    for (let j = 0; j < d; j++) {
      sums[token * d + j] += douts[n * d + j]
      if (positionSums !== null) positionSums[(n % t) * d + j] += douts[n * d + j]
    }
  })
  f32(dWE).set(sums)
  if (dWPos !== null && positionSums !== null) f32(dWPos).set(positionSums)
}

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

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI)

/** The error function by its series erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 3 ... (2n+1)): no cancellation. */
export function erf(x: number): number {
  // also NaN, on which the sum below would never settle
  if (!(Math.abs(x) <= 6)) return Math.sign(x)
  let term = x
  let sum = 0
  for (let n = 1; sum + term !== sum; n++) {
    sum += term
    term *= (2 * x * x) / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** Hendrycks & Gimpel 2016: 'erf' is x Phi(x), 'tanh' its approximation (GPT-2's gelu_new). */
export function geluForward(out: Tensor, x: Tensor, kind: GeluKind): void {
  const [outs, xs] = [f32(out), f32(x)]
  for (let i = 0; i < xs.length; i++) {
    const u = xs[i]
    if (kind === 'erf') outs[i] = 0.5 * u * (1 + erf(u / Math.SQRT2))
    else outs[i] = 0.5 * u * (1 + Math.tanh(SQRT_2_OVER_PI * (u + 0.044715 * u ** 3)))
  }
}

/** dx = dout gelu'(x) */
export function geluBackward(dx: Tensor, dout: Tensor, x: Tensor, kind: GeluKind): void {
  const [dxs, douts, xs] = [f32(dx), f32(dout), f32(x)]
  for (let i = 0; i < xs.length; i++) dxs[i] = douts[i] * geluSlope(xs[i], kind)
}

function geluSlope(u: number, kind: GeluKind): number {
  if (kind === 'erf') {
    return 0.5 * (1 + erf(u / Math.SQRT2)) + (u * Math.exp(-0.5 * u * u)) / Math.sqrt(2 * Math.PI)
  }
  const tanh = Math.tanh(SQRT_2_OVER_PI * (u + 0.044715 * u ** 3))
  return 0.5 * (1 + tanh) + 0.5 * u * (1 - tanh * tanh) * SQRT_2_OVER_PI * (1 + 3 * 0.044715 * u * u)
}

/** exp(values - max) / sum, in place */
function softmaxInPlace(values: Float64Array): void {
  let max = -Infinity
  for (const value of values) max = Math.max(max, value)
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] = Math.exp(values[i] - max)
  for (let i = 0; i < values.length; i++) values[i] /= sum
}

/** starts[b*T + t], required to be within 0 .. t; all 0 when null */
function attentionStarts(op: string, starts: Tensor | null, n: number, t: number): Int32Array {
  if (starts === null) return new Int32Array(n)
  const values = i32(starts)
  const wrong = values.findIndex((start, i) => start < 0 || start > i % t)
  if (wrong >= 0) throw misfit(op, `starts[${wrong}] in 0 .. ${wrong % t}`, String(values[wrong]))
  return values
}

/** z, q, k, v [B*T, H*width], pattern [B, H, T, T] */
export function attentionForward(
  z: Tensor,
  pattern: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  starts: Tensor | null,
): void {
  const [batch, heads, t] = pattern.shape
  const d = q.shape[1]
  const width = d / heads
  const [zs, patterns, qs, ks, vs] = [f32(z), f32(pattern), f32(q), f32(k), f32(v)]
  const first = attentionStarts('attentionForward', starts, batch * t, t)
  patterns.fill(0)
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let to = 0; to < t; to++) {
        const start = first[b * t + to]
        const row = (index: number) => (b * t + index) * d + h * width
        const weights = new Float64Array(to + 1 - start)
        for (let i = 0; i < weights.length; i++) {
          weights[i] = dot(qs, row(to), ks, row(start + i), width) / Math.sqrt(width)
        }
        softmaxInPlace(weights)
        patterns.set(weights, ((b * heads + h) * t + to) * t + start)
        for (let c = 0; c < width; c++) {
          let sum = 0
          for (let i = 0; i < weights.length; i++) sum += weights[i] * vs[row(start + i) + c]
          zs[row(to) + c] = sum
        }
      }
    }
  }
}

/** z, q [N, H*width], pattern [N, H, S], keys, values [B, S, H*width], sequences, lengths [N] */
export function attentionCachedForward(
  z: Tensor,
  pattern: Tensor,
  q: Tensor,
  keys: Tensor,
  values: Tensor,
  sequences: Tensor,
  lengths: Tensor,
): void {
  const op = 'attentionCachedForward'
  const [n, heads, s] = pattern.shape
  const d = q.shape[1]
  const width = d / heads
  const [zs, patterns, qs, ks, vs] = [f32(z), f32(pattern), f32(q), f32(keys), f32(values)]
  const owners = indices(op, 'sequences', sequences, keys.shape[0])
  const counts = indices(op, 'lengths', lengths, s + 1, 1)
  patterns.fill(0)
  for (let row = 0; row < n; row++) {
    for (let h = 0; h < heads; h++) {
      const cached = (position: number) => (owners[row] * s + position) * d + h * width
      const at = row * d + h * width
      const weights = new Float64Array(counts[row])
      for (let i = 0; i < weights.length; i++) {
        weights[i] = dot(qs, at, ks, cached(i), width) / Math.sqrt(width)
      }
      softmaxInPlace(weights)
      patterns.set(weights, (row * heads + h) * s)
      for (let c = 0; c < width; c++) {
        let sum = 0
        for (let i = 0; i < weights.length; i++) sum += weights[i] * vs[cached(i) + c]
        zs[at + c] = sum
      }
    }
  }
}

/** With A = pattern: dA = dz v^T, dS = A (dA - sum A dA), dq = dS k / sqrt(width), dk = dS^T q / sqrt(width), dv = A^T dz. */
export function attentionBackward(
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
  const [batch, heads, t] = pattern.shape
  const d = q.shape[1]
  const width = d / heads
  const [dzs, patterns, qs, ks, vs] = [f32(dz), f32(pattern), f32(q), f32(k), f32(v)]
  const first = attentionStarts('attentionBackward', starts, batch * t, t)
  const [dqs, dks, dvs] = [q, k, v].map(() => new Float64Array(batch * t * d))
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let to = 0; to < t; to++) {
        const row = (index: number) => (b * t + index) * d + h * width
        const weightAt = ((b * heads + h) * t + to) * t
        const start = first[b * t + to]
        let mean = 0
        for (let from = start; from <= to; from++) {
          mean += patterns[weightAt + from] * dot(dzs, row(to), vs, row(from), width)
        }
        for (let from = start; from <= to; from++) {
          const weight = patterns[weightAt + from]
          const dScore = (weight * (dot(dzs, row(to), vs, row(from), width) - mean)) / Math.sqrt(width)
          for (let c = 0; c < width; c++) {
            dqs[row(to) + c] += dScore * ks[row(from) + c]
            dks[row(from) + c] += dScore * qs[row(to) + c]
            dvs[row(from) + c] += weight * dzs[row(to) + c]
          }
        }
      }
    }
  }
  f32(dq).set(dqs)
  f32(dk).set(dks)
  f32(dv).set(dvs)
}

/** Logarithms of the softmax of row n of logits [N, V]. */
function logSoftmaxRow(logits: Float32Array, n: number, vocabulary: number): Float64Array {
  const row = Float64Array.from(logits.subarray(n * vocabulary, (n + 1) * vocabulary))
  let max = -Infinity
  for (const value of row) max = Math.max(max, value)
  let sum = 0
  for (const value of row) sum += Math.exp(value - max)
  const logSum = max + Math.log(sum)
  return row.map((value) => value - logSum)
}

/** losses [N], logits [N, V], targets [N] */
export function crossEntropyForward(losses: Tensor, logits: Tensor, targets: Tensor): void {
  const vocabulary = logits.shape[1]
  const [out, ls] = [f32(losses), f32(logits)]
  indices('crossEntropyForward', 'targets', targets, vocabulary, -1).forEach((target, n) => {
    out[n] = target < 0 ? 0 : -logSoftmaxRow(ls, n, vocabulary)[target]
  })
}

/** dlogits, logits [N, V] (possibly the same tensor), targets [N] */
export function crossEntropyBackward(dlogits: Tensor, logits: Tensor, targets: Tensor, scale: number): void {
  const vocabulary = logits.shape[1]
  const [out, ls] = [f32(dlogits), f32(logits)]
  indices('crossEntropyBackward', 'targets', targets, vocabulary, -1).forEach((target, n) => {
    const logRow = logSoftmaxRow(ls, n, vocabulary)
    for (let j = 0; j < vocabulary; j++) {
      out[n * vocabulary + j] = target < 0 ? 0 : scale * (Math.exp(logRow[j]) - (j === target ? 1 : 0))
    }
  })
}

/** out [N], p, q [N, V] logits */
export function klDivergence(out: Tensor, p: Tensor, q: Tensor): void {
  const [n, vocabulary] = p.shape
  const [outs, ps, qs] = [f32(out), f32(p), f32(q)]
  for (let r = 0; r < n; r++) {
    const logP = logSoftmaxRow(ps, r, vocabulary)
    const logQ = logSoftmaxRow(qs, r, vocabulary)
    outs[r] = logP.reduce((sum, lp, j) => (lp === -Infinity ? sum : sum + Math.exp(lp) * (lp - logQ[j])), 0)
  }
}
