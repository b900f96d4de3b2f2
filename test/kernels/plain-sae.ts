import type { SaeActivation, SaeSparsity, SaeStepOptions, SaeTensors } from '../../src/kernels/kernels.js'

/** An autoencoder as arrays of float64, laid out as in sae-kernels.ts. */
export type PlainSae = { [K in keyof SaeTensors]: Float64Array }

/** What a test holds constant while it moves parameters: AuxK's target, and the decoder of the gate's own reconstruction. */
export interface Frozen {
  residuals: number[][]
  sae: PlainSae
}

export interface PlainForward {
  /** [N][F] */
  pre: number[][]
  /** [N][F], 0 where inactive */
  f: number[][]
  /** [F] of jumprelu, else empty */
  theta: number[]
  /** [N][Dout] */
  y: number[][]
  /** [prefix][N][Dout] */
  xHats: number[][][]
}

/** The terms of the loss, each before its coefficient, and their sum with coefficients. */
export interface PlainLoss {
  total: number
  squaredError: number
  prefixError: number
  sparsity: number
  preAct: number
  aux: number
  /** y - xHat, [N][Dout] */
  residuals: number[][]
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const dot = (a: readonly number[], b: readonly number[]): number => sum(a.map((value, i) => value * b[i]))
const squaredDistance = (a: readonly number[], b: readonly number[]): number =>
  sum(a.map((value, i) => (value - b[i]) ** 2))

/** Cuts a flat array into rows. */
export const rowsOf = (flat: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: flat.length / width }, (_, i) => Array.from(flat).slice(i * width, (i + 1) * width))

/** ||W_dec[j]|| of every feature */
export const normsOf = (sae: PlainSae): number[] =>
  rowsOf(sae.wDec, sae.bDec.length).map((row) => Math.sqrt(dot(row, row)))

/** docs/architectures.md's forward pass, for every token and feature. */
export function plainForward(
  sae: PlainSae,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  { form, prefixes }: Pick<SaeStepOptions, 'form' | 'prefixes'>,
): PlainForward {
  const [features, dOut] = [sae.bEnc.length, sae.bDec.length]
  const xs = rowsOf(x, sae.wEnc.length / features)
  const encoder = rowsOf(sae.wEnc, xs[0].length)
  const inputs = xs.map((row) => (form.subtractDecoderBias ? row.map((v, c) => v - sae.bDec[c]) : row))
  const pre = inputs.map((row) => encoder.map((direction, j) => dot(direction, row) + sae.bEnc[j]))
  const log = form.activation.kind === 'jumprelu' && form.activation.logThreshold
  const theta = Array.from(sae.threshold ?? [], (t) => (log ? Math.exp(t) : t))
  const f = choose(activations(sae, pre, theta, form.activation), form.activation)
  const xHats = (prefixes ?? [features]).map((end) =>
    f.map((row, n) => decode(sae, row.slice(0, end), xs[n])),
  )
  return { pre, f, theta, y: rowsOf(y, dOut), xHats }
}

function activations(sae: PlainSae, pre: number[][], theta: number[], { kind }: SaeActivation): number[][] {
  const one = (value: number, j: number): number => {
    if (kind === 'jumprelu') return value > theta[j] ? value : 0
    if (kind !== 'gated') return Math.max(0, value)
    const magnitude = Math.exp(sae.rMag![j]) * (value - sae.bEnc[j]) + sae.bMag![j]
    return value > 0 && magnitude > 0 ? magnitude : 0
  }
  return pre.map((row) => row.map(one))
}

/** An activation stays when fewer than the allowed number beat it: in its row for topk, in the batch for batchtopk. */
function choose(f: number[][], activation: SaeActivation): number[][] {
  if (activation.kind === 'topk') return f.map((row) => kept(row, activation.k))
  if (activation.kind !== 'batchtopk') return f
  return rowsOf(kept(f.flat(), f.length * activation.k), f[0].length)
}

const kept = (values: number[], k: number): number[] =>
  values.map((value, i) =>
    values.filter((other, o) => other > value || (other === value && o < i)).length < k ? value : 0,
  )

/** b_dec + x W_skip + sum_j f_j W_dec[j]; f may end early */
function decode(sae: PlainSae, f: readonly number[], x: readonly number[]): number[] {
  const dOut = sae.bDec.length
  return Array.from(sae.bDec, (bias, c) => {
    const skip = sae.wSkip ? sum(x.map((value, i) => value * sae.wSkip![i * dOut + c])) : 0
    return bias + skip + sum(f.map((value, j) => value * sae.wDec[j * dOut + c]))
  })
}

/**
 * The loss of a training step written down a second time, without gradients, for checking those of the kernels.
 * `frozen` (default: this forward pass's own values) is how a test holds constant what the loss does not learn through.
 */
export function plainSaeLoss(
  sae: PlainSae,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  options: SaeStepOptions,
  dead: readonly boolean[] = [],
  frozen?: Frozen,
): PlainLoss {
  const { sparsity, form, auxK } = options
  const forward = plainForward(sae, x, y, options)
  const count = forward.y.length
  const errors = forward.xHats.map((xHat) => sum(xHat.map((row, n) => squaredDistance(row, forward.y[n]))))
  const residuals = forward.y.map((row, n) => row.map((value, c) => value - forward.xHats.at(-1)![n][c]))
  const gates = forward.pre.map((row) => row.map((gate) => Math.max(0, gate)))
  const penalised = form.activation.kind === 'gated' ? gates : forward.f
  const loss = {
    squaredError: errors.at(-1)! / count,
    prefixError: sum(errors) / count,
    sparsity: sum(penalised.flatMap((row) => penalties(row, normsOf(sae), sparsity))) / count,
    preAct: sparsity.kind === 'tanh' ? preActPenalty(forward, normsOf(sae)) : 0,
    aux: 0,
    residuals,
  }
  if (auxK && dead.includes(true))
    loss.aux = auxLoss(sae, forward, dead, auxK.k, frozen?.residuals ?? residuals)
  if (form.activation.kind === 'gated') loss.aux = gateError(frozen?.sae ?? sae, gates, x, forward.y)
  const weights = {
    sparsity: sparsity.kind === 'none' ? 0 : sparsity.coefficient,
    preAct: sparsity.kind === 'tanh' ? sparsity.preAct : 0,
    aux: auxK?.coefficient ?? 1,
  }
  const penalty = weights.sparsity * loss.sparsity + weights.preAct * loss.preAct
  return { ...loss, total: loss.prefixError + penalty + weights.aux * loss.aux }
}

function penalties(f: number[], norms: number[], sparsity: SaeSparsity): number[] {
  if (sparsity.kind === 'l1') return sparsity.byDecoderNorm ? f.map((value, j) => value * norms[j]) : f
  if (sparsity.kind === 'l0') return f.map((value) => Number(value > 0))
  if (sparsity.kind === 'tanh') return f.map((value, j) => Math.tanh(sparsity.scale * value * norms[j]))
  return []
}

const preActPenalty = ({ pre, theta }: PlainForward, norms: number[]): number =>
  sum(pre.flatMap((row) => row.map((value, j) => Math.max(0, theta[j] - value) * norms[j]))) / pre.length

/** Mean ||y - xGate||^2, where only the gates learn. */
function gateError(frozen: PlainSae, gates: number[][], x: ArrayLike<number>, y: number[][]): number {
  const xs = rowsOf(x, x.length / y.length)
  return sum(y.map((row, n) => squaredDistance(row, decode(frozen, gates[n], xs[n])))) / y.length
}

/** sum ||r - rHat||^2 / sum ||r - mean r||^2, rHat from the k largest dead features of each token */
function auxLoss(
  sae: PlainSae,
  { pre }: PlainForward,
  dead: readonly boolean[],
  k: number,
  residuals: number[][],
): number {
  const dOut = sae.bDec.length
  const nothing = { ...sae, bDec: new Float64Array(dOut), wSkip: undefined }
  const mean = residuals[0].map((_, c) => sum(residuals.map((row) => row[c])) / residuals.length)
  const missed = pre.map((row, n) => {
    const f = kept(
      row.map((value, j) => (dead[j] ? Math.max(0, value) : 0)),
      k,
    )
    return squaredDistance(residuals[n], decode(nothing, f, []))
  })
  const spread = sum(residuals.map((row) => squaredDistance(row, mean)))
  return spread === 0 ? 0 : sum(missed) / spread
}
