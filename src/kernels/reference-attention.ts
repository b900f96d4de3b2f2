import { misfit } from './check.js'
import type { AttentionOptions, Tensor } from './kernels.js'
import { dot, f32, i32, indices } from './reference-tensor.js'

/*
 * Attention (Vaswani et al. 2017), causal, with grouped heads (Ainslie et al. 2023), sliding windows (Beltagy et al. 2020) and soft-capped
 * scores (Gemma 2). q, z [B*T, H*W], k, v [B*T, G*W], pattern [B, H, T, T].
 */

/** exp(values - max) / sum, in place */
function softmaxInPlace(values: Float64Array): void {
  let max = -Infinity
  for (const value of values) max = Math.max(max, value)
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] = Math.exp(values[i] - max)
  for (let i = 0; i < values.length; i++) values[i] /= sum
}

const capped = (score: number, softCap: number | null): number =>
  softCap === null ? score : softCap * Math.tanh(score / softCap)

/** The first position of its sequence that each position attends to, [B*T]; starts are required to be within 0 .. t. */
function firstPositions(
  op: string,
  starts: Tensor | null,
  n: number,
  t: number,
  window: number | null,
): Int32Array {
  const values = starts === null ? new Int32Array(n) : i32(starts)
  const wrong = values.findIndex((start, i) => start < 0 || start > i % t)
  if (wrong >= 0) throw misfit(op, `starts[${wrong}] in 0 .. ${wrong % t}`, String(values[wrong]))
  return values.map((start, i) => Math.max(start, window === null ? 0 : (i % t) + 1 - window))
}

/** One position of one query head, and the keys and values that it sees: `count` rows of its key head. */
interface Sight {
  /** where its W numbers begin in q and z */
  at: number
  /** where the W numbers of the i-th position that it sees begin in k and v */
  seen(i: number): number
  count: number
  /** where the weight of the first position that it sees is in the pattern */
  weightAt: number
}

/** Every position of every head of B sequences of T positions. */
function* sights(
  first: Int32Array,
  t: number,
  width: number,
  { heads, keyValueHeads }: AttentionOptions,
): Generator<Sight> {
  for (let n = 0; n < first.length; n++) {
    const [sequence, to] = [Math.floor(n / t), n % t]
    for (let h = 0; h < heads; h++) {
      const keyHead = Math.floor((h * keyValueHeads) / heads)
      yield {
        at: (n * heads + h) * width,
        seen: (i) => ((sequence * t + first[n] + i) * keyValueHeads + keyHead) * width,
        count: to + 1 - first[n],
        weightAt: ((sequence * heads + h) * t + to) * t + first[n],
      }
    }
  }
}

/** The softmax of one position's scores, and z = that applied to the values. */
function attend(
  zs: Float32Array,
  qs: Float32Array,
  ks: Float32Array,
  vs: Float32Array,
  { at, seen, count }: Sight,
  width: number,
  { scale, softCap }: AttentionOptions,
): Float64Array {
  const weights = new Float64Array(count)
  for (let i = 0; i < count; i++) weights[i] = capped(scale * dot(qs, at, ks, seen(i), width), softCap)
  softmaxInPlace(weights)
  for (let c = 0; c < width; c++) {
    let sum = 0
    for (let i = 0; i < count; i++) sum += weights[i] * vs[seen(i) + c]
    zs[at + c] = sum
  }
  return weights
}

/** z, q [B*T, H*W], k, v [B*T, G*W], pattern [B, H, T, T] or null */
export function attentionForward(
  z: Tensor,
  pattern: Tensor | null,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  starts: Tensor | null,
  t: number,
  options: AttentionOptions,
): void {
  const [n, d] = q.shape
  const width = d / options.heads
  const [zs, qs, ks, vs] = [f32(z), f32(q), f32(k), f32(v)]
  const first = firstPositions('attentionForward', starts, n, t, options.window)
  const patterns = pattern === null ? null : f32(pattern)
  patterns?.fill(0)
  for (const sight of sights(first, t, width, options)) {
    const weights = attend(zs, qs, ks, vs, sight, width, options)
    patterns?.set(weights, sight.weightAt)
  }
}

/** z, q [N, H*W], keys, values [B, S, G*W], sequences, lengths [N], pattern [N, H, S] or null */
export function attentionCachedForward(
  z: Tensor,
  pattern: Tensor | null,
  q: Tensor,
  keys: Tensor,
  values: Tensor,
  sequences: Tensor,
  lengths: Tensor,
  options: AttentionOptions,
): void {
  const op = 'attentionCachedForward'
  const { heads, keyValueHeads, window } = options
  const [b, s] = keys.shape
  const [n, d] = q.shape
  const width = d / heads
  const [zs, qs, ks, vs] = [f32(z), f32(q), f32(keys), f32(values)]
  const owners = indices(op, 'sequences', sequences, b)
  const lengthsOf = indices(op, 'lengths', lengths, s + 1, 1)
  const patterns = pattern === null ? null : f32(pattern)
  patterns?.fill(0)
  for (let row = 0; row < n; row++) {
    const first = window === null ? 0 : Math.max(0, lengthsOf[row] - window)
    for (let h = 0; h < heads; h++) {
      const keyHead = Math.floor((h * keyValueHeads) / heads)
      const sight = {
        at: (row * heads + h) * width,
        seen: (i: number) => ((owners[row] * s + first + i) * keyValueHeads + keyHead) * width,
        count: lengthsOf[row] - first,
        weightAt: (row * heads + h) * s + first,
      }
      const weights = attend(zs, qs, ks, vs, sight, width, options)
      patterns?.set(weights, sight.weightAt)
    }
  }
}

/**
 * With A = pattern and scores S = scale q k^T, C = cap(S): dA = dz v^T, dC = A (dA - sum A dA), dS = dC cap'(S),
 * dq = scale dS k, dk = scale dS^T q, dv = A^T dz.
 */
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
  options: AttentionOptions,
): void {
  const [n, d] = q.shape
  const { heads, scale, softCap, window } = options
  const [t, width] = [pattern.shape[2], d / heads]
  const [dzs, patterns, qs, ks, vs] = [f32(dz), f32(pattern), f32(q), f32(k), f32(v)]
  const first = firstPositions('attentionBackward', starts, n, t, window)
  const [dqs, dks, dvs] = [qs, ks, vs].map(({ length }) => new Float64Array(length))
  for (const { at, seen, count, weightAt } of sights(first, t, width, options)) {
    let mean = 0
    for (let i = 0; i < count; i++) mean += patterns[weightAt + i] * dot(dzs, at, vs, seen(i), width)
    for (let i = 0; i < count; i++) {
      const weight = patterns[weightAt + i]
      const from = seen(i)
      const dCapped = weight * (dot(dzs, at, vs, from, width) - mean)
      const dScore = scale * dCapped * capSlope(scale * dot(qs, at, ks, from, width), softCap)
      for (let c = 0; c < width; c++) {
        dqs[at + c] += dScore * ks[from + c]
        dks[from + c] += dScore * qs[at + c]
        dvs[from + c] += weight * dzs[at + c]
      }
    }
  }
  f32(dq).set(dqs)
  f32(dk).set(dks)
  f32(dv).set(dvs)
}

const capSlope = (score: number, softCap: number | null): number =>
  softCap === null ? 1 : 1 - Math.tanh(score / softCap) ** 2
