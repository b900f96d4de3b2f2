import type { Codes, SaeActivation, SaeTensors, Tensor } from './kernels.js'
import { f32 } from './reference-tensor.js'

/** The active features of one token: ids ascending, values > 0. */
export interface ActiveRow {
  ids: number[]
  values: number[]
}

/** W_enc (x[n] - b_dec) + b_enc for token n, [F], rounded to what a float32 tensor would hold. */
export function preActivations(params: SaeTensors, x: Tensor, n: number): Float32Array {
  const [features, d] = params.wEnc.shape
  const [wEnc, bEnc, bDec, xs] = [f32(params.wEnc), f32(params.bEnc), f32(params.bDec), f32(x)]
  const centred = new Float64Array(d)
  for (let c = 0; c < d; c++) centred[c] = xs[n * d + c] - bDec[c]
  const pre = new Float32Array(features)
  for (let j = 0; j < features; j++) {
    let sum = bEnc[j]
    for (let c = 0; c < d; c++) sum += wEnc[j * d + c] * centred[c]
    pre[j] = sum
  }
  return pre
}

/** The features with a positive pre-activation; for TopK only the k largest of them, the lower id first among equals. */
export function select(
  pre: Float32Array,
  activation: SaeActivation,
  candidate?: (id: number) => boolean,
): ActiveRow {
  const positive: number[] = []
  for (let j = 0; j < pre.length; j++)
    if (pre[j] > 0 && (candidate === undefined || candidate(j))) positive.push(j)
  let ids = positive
  if (activation.kind === 'topk') {
    ids = positive
      .sort((a, b) => pre[b] - pre[a] || a - b)
      .slice(0, activation.k)
      .sort((a, b) => a - b)
  }
  return { ids, values: ids.map((j) => pre[j]) }
}

/** sum_j f_j wDec[j] (+ bias), [D] */
export function decodeRow(row: ActiveRow, wDec: Tensor, bias: Tensor | null): Float64Array {
  const d = wDec.shape[1]
  const weights = f32(wDec)
  const out = bias === null ? new Float64Array(d) : Float64Array.from(f32(bias))
  row.ids.forEach((j, i) => {
    for (let c = 0; c < d; c++) out[c] += row.values[i] * weights[j * d + c]
  })
  return out
}

/** xHat, x [N, D], losses [N] or null */
export function saeReconstruct(
  xHat: Tensor,
  losses: Tensor | null,
  params: SaeTensors,
  x: Tensor,
  activation: SaeActivation,
): void {
  const [count, d] = x.shape
  const [outs, xs] = [f32(xHat), f32(x)]
  for (let n = 0; n < count; n++) {
    const decoded = decodeRow(select(preActivations(params, x, n), activation), params.wDec, params.bDec)
    // before xHat is stored: it may be x itself
    if (losses !== null)
      f32(losses)[n] = decoded.reduce((sum, value, c) => sum + (value - xs[n * d + c]) ** 2, 0)
    outs.set(decoded, n * d)
  }
}

/** The active features of every token of x [N, D]. */
export function saeEncode(params: SaeTensors, x: Tensor, activation: SaeActivation): Codes {
  const rows = Array.from({ length: x.shape[0] }, (_, n) => select(preActivations(params, x, n), activation))
  const rowOffsets = new Int32Array(rows.length + 1)
  rows.forEach((row, n) => {
    rowOffsets[n + 1] = rowOffsets[n] + row.ids.length
  })
  const featureIds = new Int32Array(rowOffsets[rows.length])
  const values = new Float32Array(rowOffsets[rows.length])
  rows.forEach((row, n) => {
    featureIds.set(row.ids, rowOffsets[n])
    values.set(row.values, rowOffsets[n])
  })
  return { rowOffsets, featureIds, values }
}

/** xHat [N, D] from the codes of N tokens */
export function saeDecode(xHat: Tensor, params: SaeTensors, codes: Codes): void {
  const [count, d] = xHat.shape
  for (let n = 0; n < count; n++) {
    const [from, to] = [codes.rowOffsets[n], codes.rowOffsets[n + 1]]
    const row = {
      ids: [...codes.featureIds.subarray(from, to)],
      values: [...codes.values.subarray(from, to)],
    }
    f32(xHat).set(decodeRow(row, params.wDec, params.bDec), n * d)
  }
}
