import type { DecoderReport } from './decoder-geometry.js'
import type { DensityReport } from './density.js'
import type { Histogram, Quantiles } from './histogram.js'
import type { SplicedLosses } from './loss-recovered.js'
import type { Underpowered } from './power.js'
import type { Interval } from './ratio-interval.js'

/**
 * The content of eval.json. docs/metrics.md defines every number. Null stands for one that the sample does not define or is too small for:
 * `underpowered` says which, and why. Positions of the start of text are in no number.
 */
export interface EvalReport {
  hookName: string
  /** hook point that is reconstructed: the same but for transcoders */
  targetHookName: string
  /** F */
  features: number
  /** Dout, width of what is reconstructed */
  width: number
  /** windows of the model's context size in the sample */
  windows: number
  /** documents that they hold pieces of: the units of the intervals */
  documents: number
  /** text positions: those measured for the autoencoder's numbers */
  tokens: number
  /** text positions with a target: those counted in losses and KL */
  targets: number
  /** active features per token */
  l0: number
  /** the same over the tokens, as quantiles */
  l0Distribution: Quantiles
  /** tokens by their number of active features */
  l0Histogram: Histogram
  /** mean over tokens of the sum of activations */
  l1: number
  /** mean over tokens of ||x - xHat||^2 */
  squaredError: number
  /** squaredError / D */
  mse: number
  /** mean over tokens of ||x - xHat||^2 / ||x||^2, as in the code of Gao et al. 2024; what their paper writes is 1 - explainedVariance */
  normalizedMse: number | null
  /** mean over tokens of the cosine similarity of x and xHat */
  cosine: number | null
  /** mean over tokens of ||xHat|| / ||x||: below 1 is shrinkage */
  l2Ratio: number | null
  /** gamma = sum ||xHat||^2 / sum x . xHat (Rajamanoharan et al. 2024): below 1 is shrinkage that is not owed to a poor direction */
  relativeBias: number | null
  /** 1 - sum ||x - xHat||^2 / sum ||x - mean x||^2 over the sample */
  explainedVariance: number | null
  /** nats per token */
  losses: SplicedLosses
  /** 95% confidence intervals over documents */
  lossIntervals: Record<keyof SplicedLosses, Interval | null>
  /** against zero ablation */
  lossRecovered: number | null
  /** against mean ablation */
  lossRecoveredMean: number | null
  /** mean over tokens of KL(original || spliced), nats */
  kl: number
  /** density.deadFraction */
  deadFraction: number | null
  density: DensityReport
  /** of the weights alone */
  decoder: DecoderReport
  /** 95% confidence intervals over documents */
  intervals: Record<IntervalName, Interval | null>
  /** what this sample is too small to say */
  underpowered: Underpowered[]
}

/** Figures with an interval over documents; `deadFraction` and its like have none. */
export type IntervalName =
  | 'l0'
  | 'l1'
  | 'squaredError'
  | 'mse'
  | 'normalizedMse'
  | 'cosine'
  | 'l2Ratio'
  | 'relativeBias'
  | 'explainedVariance'
  | 'lossRecovered'
  | 'lossRecoveredMean'
  | 'kl'
