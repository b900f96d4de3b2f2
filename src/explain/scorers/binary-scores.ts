import { ranks } from '../../interp/correlation.js'

/** How well a yes or no was told apart. A figure is null where it is not defined. */
export interface BinaryScores {
  positives: number
  negatives: number
  /** share of the positives that were said to be */
  sensitivity: number | null
  /** share of the negatives that were said to be */
  specificity: number | null
  /** mean of the two; 0.5 for guessing */
  balancedAccuracy: number | null
  /** harmonic mean of precision and recall of the positives */
  f1: number | null
  /** area under the ROC curve: the chance that a positive gets a larger value than a negative, ties half */
  auc: number | null
}

/**
 * @param truth [n] whether it is so
 * @param values [n] how sure the answer is that it is, any scale
 * @param threshold an answer above it is a yes; default 0.5
 */
export function binaryScores(
  truth: readonly boolean[],
  values: readonly number[],
  threshold = 0.5,
): BinaryScores {
  const positives = truth.filter(Boolean).length
  const negatives = truth.length - positives
  const hits = truth.filter((yes, i) => yes && values[i] > threshold).length
  const alarms = truth.filter((yes, i) => !yes && values[i] > threshold).length
  const sensitivity = positives > 0 ? hits / positives : null
  const specificity = negatives > 0 ? 1 - alarms / negatives : null
  const defined = sensitivity !== null && specificity !== null
  return {
    positives,
    negatives,
    sensitivity,
    specificity,
    balancedAccuracy: defined ? (sensitivity + specificity) / 2 : null,
    f1: positives > 0 ? (2 * hits) / (positives + hits + alarms) : null,
    auc: defined ? areaUnderCurve(truth, values, positives, negatives) : null,
  }
}

/** Mann-Whitney: the sum of the positives' ranks. */
function areaUnderCurve(
  truth: readonly boolean[],
  values: readonly number[],
  positives: number,
  negatives: number,
): number {
  const rank = ranks(values)
  const sum = truth.reduce((total, yes, i) => total + (yes ? rank[i] : 0), 0)
  return (sum - (positives * (positives + 1)) / 2) / (positives * negatives)
}
