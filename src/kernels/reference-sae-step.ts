import type { AuxKOptions, SaeStepOptions, SaeStepStats, SaeTensors, SaeTraining, Tensor } from './kernels.js'
import { adamUpdate } from './reference-elementwise.js'
import { backward, type Forward, type Gradients, meanSquare } from './reference-sae-backward.js'
import {
  type ActiveRow,
  decodeRow,
  type EncodedRow,
  encodeRows,
  largestAmong,
  saeKeys,
  thresholds,
} from './reference-sae-forward.js'
import { penaltyOf, preActPenaltyOf } from './reference-sae-penalty.js'
import { allocate, convert, f32, i32 } from './reference-tensor.js'
import { saeRunning } from './sae-kernels.js'

/** tokensSinceFired stops here, far from the end of a 32-bit integer. */
const SATURATED = 2 ** 30

const NOTHING: SaeStepStats = {
  squaredError: 0,
  prefixError: 0,
  sparsity: 0,
  l0: 0,
  auxLoss: 0,
  preActLoss: 0,
  dead: 0,
  maxDensity: 0,
  gradientNorm: 0,
  badRow: -1,
  skippedRows: 0,
  precision: 'fp32',
  scanned: 'fp32',
  encodeMs: 0,
  decodeMs: 0,
  updateMs: 0,
}

/** One training step as documented in sae-kernels.ts; docs/architectures.md has the loss and the gradients. */
export function saeStep(training: SaeTraining, x: Tensor, y: Tensor, options: SaeStepOptions): SaeStepStats {
  const good = finiteRows(x, y)
  const count = x.shape[0]
  if (good.length === count) return stepOn(training, x, y, options)
  const badRow = good.findIndex((row, i) => row !== i)
  const bad = { badRow: badRow < 0 ? good.length : badRow, skippedRows: 0 }
  if (options.badRows !== 'skip') return { ...NOTHING, ...bad }
  bad.skippedRows = count - good.length
  if (good.length === 0) return { ...NOTHING, ...bad }
  return { ...stepOn(training, takeRows(x, good), takeRows(y, good), options), ...bad }
}

/** The rows without NaN or infinity in x or y, ascending. */
function finiteRows(x: Tensor, y: Tensor): number[] {
  const finite = (t: Tensor, n: number): boolean =>
    f32(t)
      .subarray(n * t.shape[1], (n + 1) * t.shape[1])
      .every(Number.isFinite)
  return [...Array(x.shape[0]).keys()].filter((n) => finite(x, n) && finite(y, n))
}

function takeRows(t: Tensor, rows: readonly number[]): Tensor {
  const d = t.shape[1]
  const taken = allocate([rows.length, d], 'f32')
  rows.forEach((row, i) => {
    convert(taken, i * d, t, row * d, d)
  })
  return taken
}

/** A step on a batch of finite numbers. */
function stepOn(training: SaeTraining, x: Tensor, y: Tensor, options: SaeStepOptions): SaeStepStats {
  const { params } = training
  const start = performance.now()
  const dead = deadFeatures(training.tokensSinceFired, options.auxK)
  const rows = encodeRows(params, x, options.form)
  const encoded = performance.now()
  const forward = forwardPass(params, x, y, options, rows, dead)
  const decoded = performance.now()
  const stats = { ...NOTHING, ...statistics(forward, options), dead: dead.size }
  const { gradients, auxLoss } = backward(params, x, options, forward)
  const gradientNorm = update(training, gradients, options)
  countTokens(training.tokensSinceFired, rows)
  remember(training.running, rows, stats.l0 / params.wEnc.shape[0], options)
  const times = {
    encodeMs: encoded - start,
    decodeMs: decoded - encoded,
    updateMs: performance.now() - decoded,
  }
  return { ...stats, auxLoss, gradientNorm, ...times }
}

function deadFeatures(tokensSinceFired: Tensor, auxK: AuxKOptions | undefined): Set<number> {
  const dead = new Set<number>()
  if (auxK === undefined) return dead
  i32(tokensSinceFired).forEach((tokens, j) => {
    if (tokens >= Math.min(auxK.deadAfterTokens, SATURATED)) dead.add(j)
  })
  return dead
}

function forwardPass(
  params: SaeTensors,
  x: Tensor,
  y: Tensor,
  options: SaeStepOptions,
  rows: EncodedRow[],
  dead: Set<number>,
): Forward {
  const { activation } = options.form
  const d = y.shape[1]
  const error = (row: ActiveRow, n: number, end = Infinity): Float64Array =>
    decodeRow(row, params, x, n, end).map((value, c) => value - f32(y)[n * d + c])
  const ends = options.prefixes ?? [params.wEnc.shape[0]]
  return {
    rows,
    auxRows: dead.size === 0 ? [] : rows.map(({ pre }) => largestAmong(pre, dead, options.auxK!.k)),
    errors: rows.map((row, n) => ends.map((end) => error(row, n, end))),
    gateErrors: activation.kind === 'gated' ? rows.map((row, n) => error(openGates(row), n)) : [],
    theta: activation.kind === 'jumprelu' ? thresholds(params, activation.logThreshold) : new Float64Array(0),
    norms: rowNorms(params.wDec),
  }
}

/** gated: the positive gates as if they were activations */
function openGates({ pre }: EncodedRow): ActiveRow {
  const ids = [...pre.keys()].filter((j) => pre[j] > 0)
  return { ids, values: ids.map((j) => pre[j]) }
}

function rowNorms(w: Tensor): Float64Array {
  const [features, d] = w.shape
  return new Float64Array(features).map((_, j) => {
    const row = f32(w).subarray(j * d, (j + 1) * d)
    return Math.sqrt(row.reduce((sum, value) => sum + value * value, 0))
  })
}

/** Clips, makes Adam's step, and keeps decoder rows and thresholds in bounds. Returns the gradient's norm, 0 without clipping. */
function update(training: SaeTraining, gradients: Gradients, options: SaeStepOptions): number {
  const { params, m, v } = training
  const { activation } = options.form
  if (options.unitNormDecoder) removeParallel(gradients.wDec, params.wDec)
  const trained = saeKeys(params).filter((key) => key !== 'wDec' || !options.freezeDecoder)
  const norm = options.gradientClip === undefined ? 0 : totalNorm(trained.map((key) => gradients[key]!))
  const scale = norm > 0 ? Math.min(1, options.gradientClip! / norm) : 1
  for (const key of trained) {
    adamUpdate(f32(params[key]!), gradients[key]!, f32(m[key]!), f32(v[key]!), options.adam, scale)
  }
  if (options.unitNormDecoder && !options.freezeDecoder) normaliseRows(params.wDec)
  if (activation.kind === 'jumprelu' && !activation.logThreshold) {
    const theta = f32(params.threshold!)
    theta.forEach((value, j) => {
      theta[j] = Math.max(0, value)
    })
  }
  return norm
}

function totalNorm(arrays: readonly Float64Array[]): number {
  let sum = 0
  for (const array of arrays) for (const value of array) sum += value * value
  return Math.sqrt(sum)
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
  const d = wDec.shape[1]
  rowNorms(wDec).forEach((norm, j) => {
    const row = f32(wDec).subarray(j * d, (j + 1) * d)
    if (norm > 0) row.set(row.map((value) => value / norm))
  })
}

function countTokens(tokensSinceFired: Tensor, rows: readonly ActiveRow[]): void {
  const counts = i32(tokensSinceFired)
  for (let j = 0; j < counts.length; j++) counts[j] = Math.min(SATURATED, counts[j] + rows.length)
  for (const row of rows) for (const j of row.ids) counts[j] = 0
}

/** The density; for batchtopk the smallest activation kept joins its moving average, which the first one starts. */
function remember(
  running: Tensor,
  rows: readonly ActiveRow[],
  density: number,
  { form }: SaeStepOptions,
): void {
  const memory = f32(running)
  memory[saeRunning.density] = density
  const smallest = rows.reduce((least, { values }) => Math.min(least, ...values), Infinity)
  if (form.activation.kind !== 'batchtopk' || smallest === Infinity) return
  const before = memory[saeRunning.threshold]
  memory[saeRunning.threshold] = before === 0 ? smallest : 0.99 * before + 0.01 * smallest
}

function statistics(forward: Forward, options: SaeStepOptions): Partial<SaeStepStats> & { l0: number } {
  const { rows, errors } = forward
  const fired = new Float64Array(forward.norms.length)
  for (const row of rows) for (const j of row.ids) fired[j]++
  return {
    squaredError: meanSquare(errors.map((byPrefix) => byPrefix.at(-1)!)),
    prefixError: errors[0].reduce((sum, _, p) => sum + meanSquare(errors.map((byPrefix) => byPrefix[p])), 0),
    l0: fired.reduce((a, b) => a + b) / rows.length,
    maxDensity: fired.reduce((a, b) => Math.max(a, b)) / rows.length,
    ...penalties(forward, options),
  }
}

function penalties(
  { rows, norms, theta }: Forward,
  { form, sparsity }: SaeStepOptions,
): { sparsity: number; preActLoss: number } {
  const sums = { sparsity: 0, preActLoss: 0 }
  for (const row of rows) {
    const { ids, values } = form.activation.kind === 'gated' ? openGates(row) : row
    ids.forEach((j, i) => {
      sums.sparsity += penaltyOf(sparsity, values[i], norms[j]) / rows.length
    })
    if (sparsity.kind !== 'tanh') continue
    row.pre.forEach((pre, j) => {
      sums.preActLoss += preActPenaltyOf(pre, theta[j], norms[j]) / rows.length
    })
  }
  return sums
}
