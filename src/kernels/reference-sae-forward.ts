import type { SaeActivation, SaeForm, SaeTensors, Tensor } from './kernels.js'
import { f32 } from './reference-tensor.js'

/** The active features of one token: ids ascending, values > 0. */
export interface ActiveRow {
  ids: number[]
  values: number[]
}

/** A token after encoding, with all its pre-activations [F]. */
export interface EncodedRow extends ActiveRow {
  pre: Float32Array
}

/** A (token, feature) pair. */
interface Pair {
  row: number
  id: number
  value: number
}

/** The parameters that an autoencoder has. */
export const saeKeys = (params: SaeTensors): (keyof SaeTensors)[] =>
  (Object.keys(params) as (keyof SaeTensors)[]).filter((key) => params[key] !== undefined)

/** theta of every feature, [F] */
export function thresholds(params: SaeTensors, logThreshold = false): Float64Array {
  const stored = Float64Array.from(f32(params.threshold!))
  return logThreshold ? stored.map(Math.exp) : stored
}

/** x[n], without b_dec where that is subtracted, [D] */
export function encoderInput(
  params: SaeTensors,
  x: Tensor,
  n: number,
  subtractDecoderBias: boolean,
): Float64Array {
  const d = x.shape[1]
  const row = Float64Array.from(f32(x).subarray(n * d, (n + 1) * d))
  if (!subtractDecoderBias) return row
  const bDec = f32(params.bDec)
  return row.map((value, c) => value - bDec[c])
}

/** W_enc input + b_enc of some features (default: all), rounded to what a float32 tensor would hold */
export function preActivations(params: SaeTensors, input: Float64Array, ids?: Int32Array): Float32Array {
  const [wEnc, bEnc, d] = [f32(params.wEnc), f32(params.bEnc), input.length]
  return new Float32Array(ids?.length ?? bEnc.length).map((_, i) => {
    const j = ids?.[i] ?? i
    let sum = bEnc[j]
    for (let c = 0; c < d; c++) sum += wEnc[j * d + c] * input[c]
    return sum
  })
}

/** activation(pre) of feature j, before the largest are chosen; what is not above 0 counts as inactive. */
export function activationFunction(
  params: SaeTensors,
  activation: SaeActivation,
): (pre: number, j: number) => number {
  if (activation.kind === 'jumprelu') {
    const theta = thresholds(params, activation.logThreshold)
    return (pre, j) => (pre > 0 && pre > theta[j] ? pre : 0)
  }
  if (activation.kind === 'gated') {
    const [bEnc, rMag, bMag] = [f32(params.bEnc), f32(params.rMag!), f32(params.bMag!)]
    return (gate, j) => (gate > 0 ? Math.max(0, Math.exp(rMag[j]) * (gate - bEnc[j]) + bMag[j]) : 0)
  }
  return (pre) => (pre > 0 ? pre : 0)
}

/** Every token of x [N, D]. */
export function encodeRows(params: SaeTensors, x: Tensor, form: SaeForm): EncodedRow[] {
  const activate = activationFunction(params, form.activation)
  const pres: Float32Array[] = []
  const pairs: Pair[][] = []
  for (let n = 0; n < x.shape[0]; n++) {
    const input = encoderInput(params, x, n, form.subtractDecoderBias)
    const pre = preActivations(params, input)
    pres.push(pre)
    pairs.push(positivePairs(pre, n, activate))
  }
  const kept = select(pairs, form.activation)
  return pres.map((pre, n) => ({ pre, ...activeRow(kept[n]) }))
}

function positivePairs(pre: Float32Array, row: number, activate: (pre: number, j: number) => number): Pair[] {
  const pairs: Pair[] = []
  pre.forEach((value, id) => {
    const activation = activate(value, id)
    if (activation > 0) pairs.push({ row, id, value: activation })
  })
  return pairs
}

/** The pairs that stay among those of each token. */
function select(pairs: Pair[][], activation: SaeActivation): Pair[][] {
  if (activation.kind === 'topk') return pairs.map((row) => largest(row, activation.k))
  if (activation.kind !== 'batchtopk') return pairs
  const kept: Pair[][] = pairs.map(() => [])
  for (const pair of largest(pairs.flat(), pairs.length * activation.k)) kept[pair.row].push(pair)
  return kept
}

/** The k largest, the lower (row, id) first among equals, in ascending order of (row, id). */
function largest(pairs: readonly Pair[], k: number): Pair[] {
  return [...pairs]
    .sort((a, b) => b.value - a.value || a.row - b.row || a.id - b.id)
    .slice(0, k)
    .sort((a, b) => a.row - b.row || a.id - b.id)
}

const activeRow = (pairs: readonly Pair[]): ActiveRow => ({
  ids: pairs.map(({ id }) => id),
  values: pairs.map(({ value }) => value),
})

/** The k largest positive pre-activations among some features. */
export function largestAmong(pre: Float32Array, candidates: ReadonlySet<number>, k: number): ActiveRow {
  const pairs = positivePairs(pre, 0, (value, j) => (candidates.has(j) ? value : 0))
  return activeRow(largest(pairs, k))
}

/** sum_j f_j W_dec[j] over the features below `end`, [Dout] */
export function decodeFeatures(row: ActiveRow, wDec: Tensor, end = Infinity): Float64Array {
  const d = wDec.shape[1]
  const weights = f32(wDec)
  const out = new Float64Array(d)
  row.ids.forEach((j, i) => {
    if (j >= end) return
    for (let c = 0; c < d; c++) out[c] += row.values[i] * weights[j * d + c]
  })
  return out
}

/** b_dec + x[n] W_skip, [Dout]: a reconstruction without any feature */
export function decoderBase(params: SaeTensors, x: Tensor | null, n: number): Float64Array {
  const out = Float64Array.from(f32(params.bDec))
  if (params.wSkip === undefined || x === null) return out
  const [d, dOut] = params.wSkip.shape
  const [xs, skip] = [f32(x), f32(params.wSkip)]
  for (let i = 0; i < d; i++) {
    for (let c = 0; c < dOut; c++) out[c] += xs[n * d + i] * skip[i * dOut + c]
  }
  return out
}

/** decodeFeatures + decoderBase, [Dout] */
export function decodeRow(
  row: ActiveRow,
  params: SaeTensors,
  x: Tensor | null,
  n: number,
  end = Infinity,
): Float64Array {
  const base = decoderBase(params, x, n)
  return decodeFeatures(row, params.wDec, end).map((value, c) => value + base[c])
}
