import type { Codes } from '../kernels/kernels.js'
import type { Sae } from '../sae/sae.js'
import { type DensityReport, densityReport } from './density.js'
import {
  addToVarianceSums,
  createVarianceSums,
  explainedVariance,
  type VarianceSums,
} from './explained-variance.js'
import { type L0Distribution, l0Distribution } from './l0-distribution.js'
import { lossRecovered, type SplicedLosses } from './loss-recovered.js'
import { ratioInterval } from './ratio-interval.js'
import { reconstructionErrors } from './reconstruction.js'
import { activationSums, activeFeatures, countFires } from './sparsity.js'

/** The content of eval.json. Null stands for a number that the sample does not define. */
export interface EvalReport {
  hookName: string
  /** F */
  features: number
  /** windows of the model's context size in the sample */
  windows: number
  /** text positions: those measured for the autoencoder's numbers */
  tokens: number
  /** positions with a target: those counted in losses and KL */
  targets: number
  /** active features per token */
  l0: number
  /** the same over the tokens, as quantiles */
  l0Distribution: L0Distribution
  /** mean over tokens of the sum of activations */
  l1: number
  /** mean over tokens of ||x - xHat||^2 */
  squaredError: number
  /** squaredError / D */
  mse: number
  /** mean over tokens of the cosine similarity of x and xHat */
  cosine: number
  /** 1 - sum ||x - xHat||^2 / sum ||x - mean x||^2 over the sample */
  explainedVariance: number | null
  /** nats per token */
  losses: SplicedLosses
  /** 95% confidence intervals over windows */
  lossIntervals: Record<keyof SplicedLosses, Interval | null>
  /** against zero ablation */
  lossRecovered: number | null
  /** against mean ablation */
  lossRecoveredMean: number | null
  /** mean over tokens of KL(original || spliced), nats */
  kl: number
  deadFraction: number
  density: DensityReport
  /** 95% confidence intervals over windows */
  intervals: Record<IntervalName, Interval | null>
}

/** [low, high] */
export type Interval = [number, number]

export type IntervalName = 'l0' | 'explainedVariance' | 'lossRecovered' | 'lossRecoveredMean' | 'kl'

const windowSums = [
  'tokens',
  'active',
  'activation',
  'squaredError',
  'deviation',
  'cosine',
  'targets',
  'clean',
  'spliced',
  'zeroAblated',
  'meanAblated',
  'kl',
] as const

type WindowSum = (typeof windowSums)[number]

/** Everything an evaluation accumulates: sums per window, so that intervals can be had at the end. */
export interface EvalSums {
  variance: VarianceSums
  /** [F] tokens on which each feature fired */
  fires: Float64Array
  /** [F + 1] tokens with exactly that many active features */
  l0Counts: Float64Array
  /** [D] the mean that ablation uses; per-window deviations for the interval are about it */
  mean: Float32Array
  /** windows added so far */
  windows: number
  /** [windows] each */
  perWindow: Record<WindowSum, Float64Array>
}

export function createEvalSums(sae: Sae, mean: Float32Array, windows: number): EvalSums {
  const perWindow = Object.fromEntries(windowSums.map((name) => [name, new Float64Array(windows)]))
  return {
    variance: createVarianceSums(sae.dOut),
    fires: new Float64Array(sae.features),
    l0Counts: new Float64Array(sae.features + 1),
    mean,
    windows: 0,
    perWindow: perWindow as Record<WindowSum, Float64Array>,
  }
}

/** Read-back results of one batch of B windows of T positions, n of them text. */
export interface EvaluatedBatch {
  /** B */
  windows: number
  /** [n] text positions */
  rows: Int32Array
  /** [B*T] next tokens, -1 where there is none */
  targets: Int32Array
  /** [n, D] */
  x: Float32Array
  /** [n, D] */
  xHat: Float32Array
  /** of the n text positions */
  codes: Codes
  /** [B*T] each, nats */
  losses: Record<'clean' | 'spliced' | 'zeroAblated' | 'meanAblated' | 'kl', Float32Array>
}

/** Adds one batch to the sums. */
export function addBatch(sums: EvalSums, batch: EvaluatedBatch): void {
  addTextPositions(sums, batch)
  addTargets(sums, batch)
  sums.windows += batch.windows
}

function addTextPositions(sums: EvalSums, batch: EvaluatedBatch): void {
  const { perWindow, mean } = sums
  const d = mean.length
  const t = batch.targets.length / batch.windows
  const { squaredErrors, cosines } = reconstructionErrors(batch.x, batch.xHat, d)
  const active = activeFeatures(batch.codes)
  const activation = activationSums(batch.codes)
  let squaredError = 0
  for (let i = 0; i < batch.rows.length; i++) {
    const window = sums.windows + Math.floor(batch.rows[i] / t)
    let deviation = 0
    for (let j = 0; j < d; j++) deviation += (batch.x[i * d + j] - mean[j]) ** 2
    squaredError += squaredErrors[i]
    perWindow.tokens[window] += 1
    perWindow.active[window] += active[i]
    sums.l0Counts[active[i]]++
    perWindow.activation[window] += activation[i]
    perWindow.squaredError[window] += squaredErrors[i]
    perWindow.deviation[window] += deviation
    perWindow.cosine[window] += cosines[i]
  }
  addToVarianceSums(sums.variance, batch.x, squaredError)
  countFires(sums.fires, batch.codes)
}

function addTargets(sums: EvalSums, batch: EvaluatedBatch): void {
  const { perWindow } = sums
  const { losses, targets } = batch
  const t = targets.length / batch.windows
  for (let i = 0; i < targets.length; i++) {
    if (targets[i] < 0) continue
    const window = sums.windows + Math.floor(i / t)
    perWindow.targets[window] += 1
    perWindow.clean[window] += losses.clean[i]
    perWindow.spliced[window] += losses.spliced[i]
    perWindow.zeroAblated[window] += losses.zeroAblated[i]
    perWindow.meanAblated[window] += losses.meanAblated[i]
    perWindow.kl[window] += losses.kl[i]
  }
}

/** Turns the sums into the report. */
export function reportOf(sums: EvalSums, hookName: string): EvalReport {
  const { perWindow } = sums
  const total = (name: WindowSum): number => perWindow[name].reduce((a, b) => a + b, 0)
  const tokens = total('tokens')
  const targets = total('targets')
  const losses: SplicedLosses = {
    clean: total('clean') / targets,
    spliced: total('spliced') / targets,
    zeroAblated: total('zeroAblated') / targets,
    meanAblated: total('meanAblated') / targets,
  }
  const density = densityReport(sums.fires, tokens)
  const squaredError = total('squaredError') / tokens
  return {
    hookName,
    features: sums.fires.length,
    windows: sums.windows,
    tokens,
    targets,
    l0: total('active') / tokens,
    l0Distribution: l0Distribution(sums.l0Counts),
    l1: total('activation') / tokens,
    squaredError,
    mse: squaredError / sums.mean.length,
    cosine: total('cosine') / tokens,
    explainedVariance: explainedVariance(sums.variance),
    losses,
    lossIntervals: lossIntervalsOf(perWindow),
    lossRecovered: lossRecovered(losses.clean, losses.spliced, losses.zeroAblated),
    lossRecoveredMean: lossRecovered(losses.clean, losses.spliced, losses.meanAblated),
    kl: total('kl') / targets,
    deadFraction: density.deadFraction,
    density,
    intervals: intervalsOf(perWindow),
  }
}

function intervalOf(a: ArrayLike<number>, b: ArrayLike<number>): Interval | null {
  const found = ratioInterval(a, b)
  return found && [found.low, found.high]
}

function lossIntervalsOf(perWindow: EvalSums['perWindow']): EvalReport['lossIntervals'] {
  const of = (name: keyof SplicedLosses): Interval | null => intervalOf(perWindow[name], perWindow.targets)
  return {
    clean: of('clean'),
    spliced: of('spliced'),
    zeroAblated: of('zeroAblated'),
    meanAblated: of('meanAblated'),
  }
}

function intervalsOf(perWindow: EvalSums['perWindow']): EvalReport['intervals'] {
  const { tokens, active, squaredError, deviation, targets, clean, spliced, kl } = perWindow
  const minus = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value - b[i])
  const recovered = (ablated: Float64Array): Interval | null =>
    intervalOf(minus(ablated, spliced), minus(ablated, clean))
  return {
    l0: intervalOf(active, tokens),
    explainedVariance: intervalOf(minus(deviation, squaredError), deviation),
    lossRecovered: recovered(perWindow.zeroAblated),
    lossRecoveredMean: recovered(perWindow.meanAblated),
    kl: intervalOf(kl, targets),
  }
}
