import { decimals, percent } from '../terminal/figures.js'
import type { EvalReport, IntervalName } from './eval-report.js'

/** A figure of a report as people read it. */
export interface EvalFigure {
  name: IntervalName
  label: string
  show(value: EvalReport[IntervalName]): string
  /** one short line */
  meaning: string
}

const digits =
  (count: number) =>
  (value: number | null): string =>
    decimals(value, count)

/** Small and large errors alike. */
const significant = (value: number | null): string => (value === null ? '–' : value.toPrecision(3))

/** The figures of every table, in order. */
export const evalFigures: readonly EvalFigure[] = [
  { name: 'l0', label: 'L0', show: digits(1), meaning: 'features active on a token, on average' },
  { name: 'l1', label: 'L1', show: digits(1), meaning: 'sum of the activations of a token' },
  {
    name: 'explainedVariance',
    label: 'explained variance',
    show: percent,
    meaning: 'of the variance of the hooked activations',
  },
  { name: 'mse', label: 'MSE', show: significant, meaning: 'mean squared error of a dimension' },
  {
    name: 'normalizedMse',
    label: 'normalised MSE',
    show: digits(3),
    meaning: 'squared error relative to each token',
  },
  { name: 'cosine', label: 'cosine', show: digits(3), meaning: 'of activations and reconstructions' },
  { name: 'l2Ratio', label: 'L2 ratio', show: digits(3), meaning: 'of norms; below 1 is shrinkage' },
  {
    name: 'relativeBias',
    label: 'relative bias',
    show: digits(3),
    meaning: 'gamma; below 1 is shrinkage alone',
  },
  {
    name: 'lossRecovered',
    label: 'loss recovered, zero',
    show: percent,
    meaning: 'of the loss that zero ablation costs',
  },
  {
    name: 'lossRecoveredMean',
    label: 'loss recovered, mean',
    show: percent,
    meaning: 'of the loss that mean ablation costs',
  },
  { name: 'kl', label: 'KL divergence', show: digits(4), meaning: 'nats per token, from the original' },
]
