import { type SparseMatrix, times } from './sparse-matrix.js'

/** A linear classifier: the score of a row x is x w + intercept; positive speaks for the class. */
export interface LinearModel {
  /** [columns] */
  weights: Float64Array
  intercept: number
}

/** log(1 + e^z) without overflow. */
const softplus = (z: number): number => (z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z)))

const sigmoid = (z: number): number => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)))

/** Scores of all rows. [rows] */
export function scoresOf(x: SparseMatrix, { weights, intercept }: LinearModel): Float64Array {
  return times(x, weights).map((score) => score + intercept)
}

/** Mean of -log p(label) in nats. @param labels [rows] of 0 and 1 */
export function meanLogLoss(scores: Float64Array, labels: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < scores.length; i++) sum += softplus(scores[i]) - labels[i] * scores[i]
  return sum / scores.length
}

/**
 * Of the mean log loss by score, for every row: residual (p - label) / rows is its gradient, curvature p (1 - p) / rows its second
 * derivative.
 */
export function lossDerivatives(
  scores: Float64Array,
  labels: Uint8Array,
): { residual: Float64Array; curvature: Float64Array } {
  const n = scores.length
  const p = scores.map(sigmoid)
  return {
    residual: p.map((value, i) => (value - labels[i]) / n),
    curvature: p.map((value) => (value * (1 - value)) / n),
  }
}

export const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0)

/** The intercept that says what the classes' shares are, for a start. */
export function logOdds(labels: Uint8Array): number {
  const positives = labels.reduce((sum, label) => sum + label, 0)
  return Math.log((positives + 0.5) / (labels.length - positives + 0.5))
}
