import type { AuxKOptions, SaeActivation, SaeStepOptions, SaeTensors, Tensor } from './kernels.js'
import {
  type ActiveRow,
  decodeFeatures,
  type EncodedRow,
  encoderInput,
  saeKeys,
} from './reference-sae-forward.js'
import { penaltyGradient } from './reference-sae-penalty.js'
import { f32 } from './reference-tensor.js'

/** One float64 array per parameter. */
export type Gradients = { [K in keyof SaeTensors]: Float64Array }

/** What the forward pass of N tokens leaves for the backward pass. */
export interface Forward {
  rows: EncodedRow[]
  /** dead features picked for AuxK; empty rows when there are none */
  auxRows: ActiveRow[]
  /** [N][prefix][Dout]: xHat_p - y; the last prefix is the whole dictionary */
  errors: Float64Array[][]
  /** gated: [N][Dout], xGate - y */
  gateErrors: Float64Array[]
  /** jumprelu: theta of every feature */
  theta: Float64Array
  /** ||W_dec[j]|| */
  norms: Float64Array
}

/** What all pairs share. */
interface Backward {
  params: SaeTensors
  x: Tensor
  options: SaeStepOptions
  forward: Forward
  gradients: Gradients
  /** [F]: the gradient by W_enc[j] (x - b_dec), summed over tokens */
  projections: Float64Array
}

/** A (token, feature) pair. */
interface Pair {
  n: number
  j: number
  pre: number
  /** the activation, 0 where it is inactive */
  value: number
  /** [D]: what the encoder saw of the token */
  input: Float64Array
  /** [Dout]: the gradient of the loss by what feature j decodes to */
  dDecoded: Float64Array
}

/** Gradients of the whole loss by every parameter, and the auxiliary loss, which is found on the way. */
export function backward(
  params: SaeTensors,
  x: Tensor,
  options: SaeStepOptions,
  forward: Forward,
): { gradients: Gradients; auxLoss: number } {
  const gradients = zeroGradients(params)
  const projections = new Float64Array(params.wEnc.shape[0])
  const b: Backward = { params, x, options, forward, gradients, projections }
  forward.rows.forEach((row, n) => {
    rowBackward(b, row, n)
  })
  let auxLoss = 0
  if (options.auxK) auxLoss = auxBackward(b, options.auxK)
  if (options.form.activation.kind === 'gated') auxLoss = meanSquare(forward.gateErrors)
  if (options.form.subtractDecoderBias) throughInput(b)
  return { gradients, auxLoss }
}

function zeroGradients(params: SaeTensors): Gradients {
  const gradients = {} as Gradients
  for (const key of saeKeys(params)) gradients[key] = new Float64Array(f32(params[key]!).length)
  return gradients
}

function rowBackward(b: Backward, row: EncodedRow, n: number): void {
  const { params, x, options, forward, gradients } = b
  const ends = options.prefixes ?? [row.pre.length]
  const dPrefixes = suffixSums(forward.errors[n]).map((sum) => sum.map((e) => (2 * e) / forward.rows.length))
  const input = encoderInput(params, x, n, options.form.subtractDecoderBias)
  const values = new Float64Array(row.pre.length)
  row.ids.forEach((j, i) => {
    values[j] = row.values[i]
  })
  const pairBackward = pairBackwardOf(options.form.activation)
  row.pre.forEach((pre, j) => {
    const dDecoded = dPrefixes[ends.findIndex((end) => j < end)]
    pairBackward(b, { n, j, pre, value: values[j], input, dDecoded })
  })
  addTo(gradients.bDec, 0, dPrefixes[0], 1)
  if (gradients.wSkip === undefined) return
  const [d, dOut] = params.wSkip!.shape
  for (let i = 0; i < d; i++) addTo(gradients.wSkip, i * dOut, dPrefixes[0], f32(x)[n * d + i])
}

function pairBackwardOf({ kind }: SaeActivation): (b: Backward, pair: Pair) => void {
  if (kind === 'jumprelu') return jumpReluPair
  return kind === 'gated' ? gatedPair : plainPair
}

/** sums[p] = rows[p] + rows[p + 1] + ...: what is felt by the features that join with prefix p */
function suffixSums(rows: readonly Float64Array[]): Float64Array[] {
  const sums = rows.map((row) => row.slice())
  for (let p = rows.length - 2; p >= 0; p--) addTo(sums[p], 0, sums[p + 1], 1)
  return sums
}

/** relu, topk and batchtopk: df reaches the encoder where f is active. */
function plainPair(b: Backward, pair: Pair): void {
  if (pair.value === 0) return
  const { dValue, dNorm } = penalty(b, pair.j, pair.value)
  const df = decoderSlope(b, pair.j, pair.dDecoded) + dValue
  addPair(b, pair, df, df, dNorm)
}

/** jumprelu: theta through the rectangle kernel; without a bandwidth it gets no gradient. */
function jumpReluPair(b: Backward, pair: Pair): void {
  const { sparsity, form } = b.options
  const { j, pre, value } = pair
  const [theta, count] = [b.forward.theta[j], b.forward.rows.length]
  const bandwidth = 'bandwidth' in sparsity ? sparsity.bandwidth : 0
  const near = Math.abs(pre - theta) < bandwidth / 2
  const push = sparsity.kind === 'tanh' && pre < theta ? sparsity.preAct / count : 0
  if (value === 0 && !near && push === 0) return

  const { dValue, dNorm } = penalty(b, j, value)
  const df = decoderSlope(b, j, pair.dDecoded) + dValue
  const l0 = sparsity.kind === 'l0' ? sparsity.coefficient / count : 0
  const jump = near ? -(theta * df + l0) / bandwidth : 0
  const dTheta = jump + push * b.forward.norms[j]
  const dPre = (value > 0 ? df : 0) - push * b.forward.norms[j]
  const log = form.activation.kind === 'jumprelu' && form.activation.logThreshold
  b.gradients.threshold![j] += log ? theta * dTheta : dTheta
  addPair(b, pair, dPre, dPre, dNorm + push * (theta - pre))
}

/** gated: the magnitude path learns from the error, the gate from its own error and the penalty. */
function gatedPair(b: Backward, pair: Pair): void {
  const { j, pre: gate, value } = pair
  if (!(gate > 0)) return
  const count = b.forward.rows.length
  const dGated = b.forward.gateErrors[pair.n].map((e) => (2 * e) / count)
  const { dValue, dNorm } = penalty(b, j, gate)
  const dGate = decoderSlope(b, j, dGated) + dValue
  const dMagnitude = value > 0 ? decoderSlope(b, j, pair.dDecoded) : 0
  const gain = Math.exp(f32(b.params.rMag!)[j])
  b.gradients.bMag![j] += dMagnitude
  b.gradients.rMag![j] += dMagnitude * gain * (gate - f32(b.params.bEnc)[j])
  addPair(b, pair, gain * dMagnitude + dGate, dGate, dNorm)
}

/** The derivatives of the penalty as it stands in the loss: times lambda and divided by N. */
function penalty(b: Backward, j: number, value: number): { dValue: number; dNorm: number } {
  const { dValue, dNorm } = penaltyGradient(b.options.sparsity, value, b.forward.norms[j])
  const count = b.forward.rows.length
  return { dValue: dValue / count, dNorm: dNorm / count }
}

/** dDecoded . W_dec[j]: the gradient by f_j of what the decoder makes of it */
function decoderSlope(b: Backward, j: number, dDecoded: Float64Array): number {
  const wDec = f32(b.params.wDec)
  return dDecoded.reduce((sum, value, c) => sum + value * wDec[j * dDecoded.length + c], 0)
}

/** Adds one pair: `dProjection` by W_enc[j] (x - b_dec), `dBias` by b_enc[j], `dNorm` by ||W_dec[j]||. */
function addPair(b: Backward, pair: Pair, dProjection: number, dBias: number, dNorm: number): void {
  const { params, gradients, forward } = b
  const { j, value, input, dDecoded } = pair
  addTo(gradients.wEnc, j * input.length, input, dProjection)
  addTo(gradients.wDec, j * dDecoded.length, dDecoded, value)
  if (dNorm !== 0 && forward.norms[j] > 0) {
    const direction = f32(params.wDec).subarray(j * dDecoded.length, (j + 1) * dDecoded.length)
    addTo(gradients.wDec, j * dDecoded.length, direction, dNorm / forward.norms[j])
  }
  gradients.bEnc[j] += dBias
  b.projections[j] += dProjection
}

/**
 * AuxK: dead features decode (without bias) the residual r = y - xHat, which is held constant. Returns
 * sum ||r - rHat||^2 / sum ||r - mean r||^2 and adds the gradients of coefficient times it.
 */
function auxBackward(b: Backward, auxK: AuxKOptions): number {
  const { forward, params } = b
  if (forward.auxRows.length === 0) return 0
  const residuals = forward.errors.map((byPrefix) => byPrefix.at(-1)!.map((e) => -e))
  const spread = sumOfSquares(residuals, meanRow(residuals))
  if (spread === 0) return 0
  let missed = 0
  forward.auxRows.forEach((row, n) => {
    const difference = decodeFeatures(row, params.wDec).map((value, c) => value - residuals[n][c])
    missed += difference.reduce((sum, value) => sum + value * value, 0)
    const dDecoded = difference.map((value) => (auxK.coefficient * 2 * value) / spread)
    const input = encoderInput(params, b.x, n, b.options.form.subtractDecoderBias)
    row.values.forEach((value, i) => {
      const j = row.ids[i]
      const df = decoderSlope(b, j, dDecoded)
      addPair(b, { n, j, pre: value, value, input, dDecoded }, df, df, 0)
    })
  })
  return missed / spread
}

function meanRow(rows: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(rows[0].length)
  for (const row of rows) addTo(mean, 0, row, 1 / rows.length)
  return mean
}

/** Sum over the rows of ||row - centre||^2. */
function sumOfSquares(rows: readonly Float64Array[], centre: Float64Array): number {
  let sum = 0
  for (const row of rows) for (let c = 0; c < centre.length; c++) sum += (row[c] - centre[c]) ** 2
  return sum
}

/** Mean over the rows of ||row||^2. */
export const meanSquare = (rows: readonly Float64Array[]): number =>
  sumOfSquares(rows, new Float64Array(rows[0].length)) / rows.length

/** b_dec is also subtracted before encoding: db_dec -= sum_j projections[j] W_enc[j]. */
function throughInput(b: Backward): void {
  const d = b.params.wEnc.shape[1]
  b.projections.forEach((projection, j) => {
    addTo(b.gradients.bDec, 0, f32(b.params.wEnc).subarray(j * d, (j + 1) * d), -projection)
  })
}

/** target[start + i] += factor * row[i] */
function addTo(target: Float64Array, start: number, row: Float64Array | Float32Array, factor: number): void {
  for (let i = 0; i < row.length; i++) target[start + i] += factor * row[i]
}
