import type { Tensor } from './kernels.js'
import { accumulate, dot, f32, floats, indices } from './reference-tensor.js'

/** out [N, O] = x [N, I] w [I, O] + b [O] */
export function linearForward(out: Tensor, x: Tensor, w: Tensor, b: Tensor | null): void {
  const [n, inner] = x.shape
  const o = w.shape[1]
  const [outs, xs, ws] = [f32(out), f32(x), floats(w)]
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
  const [douts, xs, ws] = [f32(dout), f32(x), floats(w)]
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

/** out [N, O] = x [N, I] w^T, w [O, I] */
export function linearTransposedForward(out: Tensor, x: Tensor, w: Tensor): void {
  const [n, inner] = x.shape
  const o = w.shape[0]
  const [outs, xs, ws] = [f32(out), f32(x), floats(w)]
  for (let r = 0; r < n; r++) {
    for (let c = 0; c < o; c++) outs[r * o + c] = dot(xs, r * inner, ws, c * inner, inner)
  }
}

/** dx = dout w, dW += dout^T x */
export function linearTransposedBackward(
  dx: Tensor | null,
  dW: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
): void {
  const [n, inner] = x.shape
  const o = w.shape[0]
  const [douts, xs, ws] = [f32(dout), f32(x), floats(w)]
  const row = new Float64Array(inner)
  for (let c = 0; dW !== null && c < o; c++) {
    row.fill(0)
    for (let r = 0; r < n; r++) {
      for (let i = 0; i < inner; i++) row[i] += douts[r * o + c] * xs[r * inner + i]
    }
    accumulate(f32(dW), c * inner, row)
  }
  for (let r = 0; dx !== null && r < n; r++) {
    row.fill(0)
    for (let c = 0; c < o; c++) {
      for (let i = 0; i < inner; i++) row[i] += douts[r * o + c] * ws[c * inner + i]
    }
    f32(dx).set(row, r * inner)
  }
}

/** out [N, D], tokens [N], wE [V, D], wPos [>= T, D] */
export function embedForward(out: Tensor, tokens: Tensor, wE: Tensor, wPos: Tensor | null, t: number): void {
  const [vocabulary, d] = wE.shape
  const [outs, es] = [f32(out), floats(wE)]
  const positions = wPos === null ? null : floats(wPos)
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
