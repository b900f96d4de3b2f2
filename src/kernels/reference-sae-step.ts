import type { AuxKOptions, SaeStepOptions, SaeStepStats, SaeTensors, Tensor } from './kernels.js'
import { adamUpdate } from './reference-elementwise.js'
import { type ActiveRow, decodeRow, preActivations, select } from './reference-sae.js'
import { f32, i32 } from './reference-tensor.js'

/** tokensSinceFired stops here, far from the end of a 32-bit integer. */
const SATURATED = 2 ** 30

/** Gradients of the four parameters, in float64. */
interface Gradients {
  wEnc: Float64Array
  bEnc: Float64Array
  wDec: Float64Array
  bDec: Float64Array
}

/** What the forward pass of N tokens leaves for the backward pass. */
interface Forward {
  rows: ActiveRow[]
  /** dead features picked for AuxK; empty rows when there are none */
  auxRows: ActiveRow[]
  /** [N][D]: xHat - x */
  errors: Float64Array[]
}

/**
 * One training step as documented in kernels.ts. Loss: 1/N sum_n (||x - xHat||^2 + l1Coefficient ||f||_1)
 * (+ coefficient * AuxK loss); gradients flow through active features only.
 */
export function saeStep(
  params: SaeTensors,
  m: SaeTensors,
  v: SaeTensors,
  tokensSinceFired: Tensor,
  x: Tensor,
  options: SaeStepOptions,
): SaeStepStats {
  const dead = deadFeatures(tokensSinceFired, options.auxK)
  const forward = forwardPass(params, x, options, dead)
  const gradients = zeroGradients(params)
  backward(gradients, params, x, forward, options.l1Coefficient)
  const auxLoss = dead.size > 0 && options.auxK ? auxBackward(gradients, params, x, forward, options.auxK) : 0
  finishDecoderBias(gradients, params)
  if (options.unitNormDecoder) removeParallel(gradients.wDec, params.wDec)
  for (const key of ['wEnc', 'bEnc', 'wDec', 'bDec'] as const) {
    adamUpdate(f32(params[key]), gradients[key], f32(m[key]), f32(v[key]), options.adam)
  }
  if (options.unitNormDecoder) normaliseRows(params.wDec)
  countTokens(tokensSinceFired, forward.rows)
  return statistics(forward, auxLoss, dead.size)
}

function deadFeatures(tokensSinceFired: Tensor, auxK: AuxKOptions | undefined): Set<number> {
  const dead = new Set<number>()
  if (auxK === undefined) return dead
  i32(tokensSinceFired).forEach((tokens, j) => {
    if (tokens >= auxK.deadAfterTokens) dead.add(j)
  })
  return dead
}

function forwardPass(params: SaeTensors, x: Tensor, options: SaeStepOptions, dead: Set<number>): Forward {
  const [count, d] = x.shape
  const xs = f32(x)
  const forward: Forward = { rows: [], auxRows: [], errors: [] }
  const aux = { kind: 'topk', k: Math.min(options.auxK?.k ?? 0, dead.size) } as const
  for (let n = 0; n < count; n++) {
    const pre = preActivations(params, x, n)
    const row = select(pre, options.activation)
    forward.rows.push(row)
    forward.auxRows.push(select(pre, aux, (j) => dead.has(j)))
    forward.errors.push(decodeRow(row, params.wDec, params.bDec).map((value, c) => value - xs[n * d + c]))
  }
  return forward
}

function zeroGradients(params: SaeTensors): Gradients {
  const [features, d] = params.wEnc.shape
  return {
    wEnc: new Float64Array(features * d),
    bEnc: new Float64Array(features),
    wDec: new Float64Array(features * d),
    bDec: new Float64Array(d),
  }
}

/**
 * Adds the gradients of one token's decode: `dDecoded` [D] is the loss by the decoder's output, `l1` the loss by each
 * activation on top.
 */
function rowBackward(
  gradients: Gradients,
  params: SaeTensors,
  x: Tensor,
  n: number,
  row: ActiveRow,
  dDecoded: Float64Array,
  l1: number,
): void {
  const d = x.shape[1]
  const [xs, wDec, bDec] = [f32(x), f32(params.wDec), f32(params.bDec)]
  row.ids.forEach((j, i) => {
    let dActivation = l1
    for (let c = 0; c < d; c++) dActivation += dDecoded[c] * wDec[j * d + c]
    for (let c = 0; c < d; c++) {
      gradients.wDec[j * d + c] += row.values[i] * dDecoded[c]
      gradients.wEnc[j * d + c] += dActivation * (xs[n * d + c] - bDec[c])
    }
    gradients.bEnc[j] += dActivation
  })
}

function backward(
  gradients: Gradients,
  params: SaeTensors,
  x: Tensor,
  forward: Forward,
  l1Coefficient: number,
): void {
  const count = forward.rows.length
  forward.rows.forEach((row, n) => {
    const dDecoded = forward.errors[n].map((e) => (2 * e) / count)
    rowBackward(gradients, params, x, n, row, dDecoded, l1Coefficient / count)
    for (let c = 0; c < dDecoded.length; c++) gradients.bDec[c] += dDecoded[c]
  })
}

/**
 * AuxK: dead features decode (without bias) the residual r = x - xHat, which is held constant. Returns
 * sum ||r - rHat||^2 / sum ||r - mean r||^2 and adds the gradients of coefficient times it.
 */
function auxBackward(
  gradients: Gradients,
  params: SaeTensors,
  x: Tensor,
  forward: Forward,
  auxK: AuxKOptions,
): number {
  const residuals = forward.errors.map((row) => row.map((e) => -e))
  const spread = sumOfSquares(residuals, meanRow(residuals))
  if (spread === 0) return 0
  let missed = 0
  forward.auxRows.forEach((row, n) => {
    const difference = decodeRow(row, params.wDec, null).map((value, c) => value - residuals[n][c])
    missed += difference.reduce((sum, value) => sum + value * value, 0)
    const dDecoded = difference.map((value) => (auxK.coefficient * 2 * value) / spread)
    rowBackward(gradients, params, x, n, row, dDecoded, 0)
  })
  return missed / spread
}

function meanRow(rows: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(rows[0].length)
  for (const row of rows) for (let c = 0; c < mean.length; c++) mean[c] += row[c] / rows.length
  return mean
}

/** Sum over the rows of ||row - centre||^2. */
function sumOfSquares(rows: readonly Float64Array[], centre: Float64Array): number {
  let sum = 0
  for (const row of rows) for (let c = 0; c < centre.length; c++) sum += (row[c] - centre[c]) ** 2
  return sum
}

/** b_dec is also subtracted before encoding: dbDec -= sum_j dbEnc[j] wEnc[j]. */
function finishDecoderBias(gradients: Gradients, params: SaeTensors): void {
  const d = gradients.bDec.length
  const wEnc = f32(params.wEnc)
  gradients.bEnc.forEach((db, j) => {
    for (let c = 0; c < d; c++) gradients.bDec[c] -= db * wEnc[j * d + c]
  })
}

/** Removes from each row of the gradient its component along the decoder row (of unit norm). */
function removeParallel(gradient: Float64Array, wDec: Tensor): void {
  const [features, d] = wDec.shape
  const weights = f32(wDec)
  for (let j = 0; j < features; j++) {
    let along = 0
    for (let c = 0; c < d; c++) along += gradient[j * d + c] * weights[j * d + c]
    for (let c = 0; c < d; c++) gradient[j * d + c] -= along * weights[j * d + c]
  }
}

/** Divides each row by its norm; rows of norm 0 stay. */
function normaliseRows(wDec: Tensor): void {
  const [features, d] = wDec.shape
  for (let j = 0; j < features; j++) {
    const row = f32(wDec).subarray(j * d, (j + 1) * d)
    const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0))
    if (norm > 0) row.set(row.map((value) => value / norm))
  }
}

function countTokens(tokensSinceFired: Tensor, rows: readonly ActiveRow[]): void {
  const counts = i32(tokensSinceFired)
  for (let j = 0; j < counts.length; j++) counts[j] = Math.min(SATURATED, counts[j] + rows.length)
  for (const row of rows) for (const j of row.ids) counts[j] = 0
}

function statistics(forward: Forward, auxLoss: number, dead: number): SaeStepStats {
  const count = forward.rows.length
  const stats = { squaredError: 0, l1: 0, l0: 0, auxLoss, dead }
  forward.rows.forEach((row, n) => {
    for (const e of forward.errors[n]) stats.squaredError += (e * e) / count
    for (const value of row.values) stats.l1 += value / count
    stats.l0 += row.ids.length / count
  })
  return stats
}
