import { explainedVariance } from '../sae/explained-variance.js'
import type { Sae } from '../sae/sae.js'
import type { DecoderReport } from './decoder-geometry.js'
import { densityReport } from './density.js'
import { type Ratio, ratioOf } from './document-sums.js'
import type { EvalReport, IntervalName } from './eval-report.js'
import type { EvalColumn, EvalSums } from './eval-sums.js'
import { l0Distribution, l0Histogram } from './l0-distribution.js'
import { lossRecovered, type SplicedLosses } from './loss-recovered.js'
import {
  type Underpowered,
  underpoweredDensities,
  underpoweredIntervals,
  underpoweredRecovery,
} from './power.js'
import type { Interval, RatioInterval } from './ratio-interval.js'

type EvalRatio = Ratio<EvalColumn>

const mean = (of: EvalColumn, over: EvalColumn = 'tokens'): EvalRatio => ({
  over: [[1, of]],
  under: [[1, over]],
})
const difference = (a: EvalColumn, b: EvalColumn): EvalRatio['over'] => [
  [1, a],
  [-1, b],
]
const recovered = (ablated: EvalColumn): EvalRatio => ({
  over: difference(ablated, 'spliced'),
  under: difference(ablated, 'clean'),
})

/** What each figure is a quotient of. The deviation is about the mean for ablation, which only the interval of the explained variance uses. */
const ratios: Record<Exclude<IntervalName, 'mse'>, EvalRatio> = {
  l0: mean('active'),
  l1: mean('activation'),
  squaredError: mean('squaredError'),
  normalizedMse: mean('relativeError', 'directed'),
  cosine: mean('cosine', 'directed'),
  l2Ratio: mean('l2Ratio', 'directed'),
  relativeBias: mean('reconstruction', 'dot'),
  explainedVariance: { over: difference('deviation', 'squaredError'), under: [[1, 'deviation']] },
  lossRecovered: recovered('zeroAblated'),
  lossRecoveredMean: recovered('meanAblated'),
  kl: mean('kl', 'targets'),
}

/** Turns the sums of a sample with text into the report. @param windows of the sample */
export function reportOf(
  sums: EvalSums,
  sae: Pick<Sae, 'hookName' | 'targetHookName' | 'features' | 'dOut'>,
  windows: number,
  decoder: DecoderReport,
): EvalReport {
  const { perDocument, fires, l0Counts } = sums
  const found = (ratio: EvalRatio): RatioInterval | null => ratioOf(perDocument, ratio)
  const total = (name: EvalColumn): number => perDocument.columns[name].reduce((a, b) => a + b, 0)
  const tokens = total('tokens')
  const documents = perDocument.documents()
  const losses = lossesOf(found)
  const recovery = recoveryOf(losses.values, found)
  const density = densityReport(fires, tokens)
  const explained = explainedVariance(sums.variance)
  const figure = (name: keyof typeof ratios): number | null => found(ratios[name])?.value ?? null
  const squaredError = figure('squaredError') ?? 0
  return {
    hookName: sae.hookName,
    targetHookName: sae.targetHookName,
    features: sae.features,
    width: sae.dOut,
    windows,
    documents,
    tokens,
    targets: total('targets'),
    l0: figure('l0') ?? 0,
    l0Distribution: l0Distribution(l0Counts),
    l0Histogram: l0Histogram(l0Counts),
    l1: figure('l1') ?? 0,
    squaredError,
    mse: squaredError / sae.dOut,
    normalizedMse: figure('normalizedMse'),
    cosine: figure('cosine'),
    l2Ratio: figure('l2Ratio'),
    relativeBias: figure('relativeBias'),
    explainedVariance: explained,
    losses: losses.values,
    lossIntervals: losses.intervals,
    lossRecovered: recovery.zero,
    lossRecoveredMean: recovery.mean,
    kl: figure('kl') ?? 0,
    deadFraction: density.deadFraction,
    density,
    decoder,
    intervals: intervalsOf(found, sae.dOut, explained, recovery),
    underpowered: [
      ...underpoweredIntervals(documents),
      ...underpoweredDensities(tokens, sae.features),
      ...recovery.underpowered,
    ],
  }
}

type Find = (ratio: EvalRatio) => RatioInterval | null

function intervalsOf(
  found: Find,
  width: number,
  explained: number | null,
  recovery: { zero: number | null; mean: number | null },
): EvalReport['intervals'] {
  const of = (name: keyof typeof ratios): Interval | null => found(ratios[name])?.interval ?? null
  const squaredError = of('squaredError')
  return {
    l0: of('l0'),
    l1: of('l1'),
    squaredError,
    mse: squaredError && [squaredError[0] / width, squaredError[1] / width],
    normalizedMse: of('normalizedMse'),
    cosine: of('cosine'),
    l2Ratio: of('l2Ratio'),
    relativeBias: of('relativeBias'),
    explainedVariance: movedTo(explained, found(ratios.explainedVariance)),
    lossRecovered: recovery.zero === null ? null : of('lossRecovered'),
    lossRecoveredMean: recovery.mean === null ? null : of('lossRecoveredMean'),
    kl: of('kl'),
  }
}

function lossesOf(found: Find): {
  values: SplicedLosses
  intervals: Record<keyof SplicedLosses, Interval | null>
} {
  const of = (name: keyof SplicedLosses): RatioInterval =>
    found(mean(name, 'targets')) ?? { value: Number.NaN, interval: null }
  const [clean, spliced, zeroAblated, meanAblated] = [
    of('clean'),
    of('spliced'),
    of('zeroAblated'),
    of('meanAblated'),
  ]
  return {
    values: {
      clean: clean.value,
      spliced: spliced.value,
      zeroAblated: zeroAblated.value,
      meanAblated: meanAblated.value,
    },
    intervals: {
      clean: clean.interval,
      spliced: spliced.interval,
      zeroAblated: zeroAblated.interval,
      meanAblated: meanAblated.interval,
    },
  }
}

/** Loss recovered against both ablations, where their damage is clear. */
function recoveryOf(
  { clean, spliced, zeroAblated, meanAblated }: SplicedLosses,
  found: Find,
): { zero: number | null; mean: number | null; underpowered: Underpowered[] } {
  const damage = (ablated: EvalColumn): Interval | null =>
    found({ over: difference(ablated, 'clean'), under: [[1, 'targets']] })?.interval ?? null
  const zero = underpoweredRecovery('lossRecovered', 'zero ablation', damage('zeroAblated'))
  const mean = underpoweredRecovery('lossRecoveredMean', 'mean ablation', damage('meanAblated'))
  return {
    zero: zero.length > 0 ? null : lossRecovered(clean, spliced, zeroAblated),
    mean: mean.length > 0 ? null : lossRecovered(clean, spliced, meanAblated),
    underpowered: [...zero, ...mean],
  }
}

/** An interval as wide, around a value that was computed more exactly. */
function movedTo(value: number | null, found: RatioInterval | null): Interval | null {
  if (value === null || !found?.interval) return null
  const half = (found.interval[1] - found.interval[0]) / 2
  return [value - half, value + half]
}
