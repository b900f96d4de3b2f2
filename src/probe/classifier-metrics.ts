/** How good a classifier is on texts that it was not fitted on. */
export interface ClassifierMetrics {
  /** share of texts put into their class */
  accuracy: number
  /** mean over classes of the share of its texts put into it */
  balancedAccuracy: number
  /** mean over classes of the F1 score */
  f1: number
  /** area under the ROC curve; with more than two classes the mean over classes of one against the rest */
  rocAuc: number
}

export const metricNames = ['accuracy', 'balancedAccuracy', 'f1', 'rocAuc'] as const

/**
 * @param scores [texts, classes] row-major; the largest of a row is the class given, the lower class on a tie
 * @param labels [texts] class of each
 */
export function classifierMetrics(
  scores: Float64Array,
  labels: Int32Array,
  classes: number,
): ClassifierMetrics {
  const counts = {
    right: 0,
    hits: new Float64Array(classes),
    given: new Float64Array(classes),
    of: new Float64Array(classes),
  }
  labels.forEach((label, i) => {
    let best = 0
    for (let c = 1; c < classes; c++) if (scores[i * classes + c] > scores[i * classes + best]) best = c
    counts.given[best]++
    counts.of[label]++
    if (best !== label) return
    counts.right++
    counts.hits[label]++
  })
  const each = Array.from({ length: classes }, (_, c) => c)
  const mean = (figure: (c: number) => number): number =>
    each.reduce((sum, c) => sum + figure(c), 0) / classes
  const auc = (c: number): number =>
    rocAuc(
      Float64Array.from(labels, (_, i) => scores[i * classes + c]),
      labels.map((label) => (label === c ? 1 : 0)),
    )
  return {
    accuracy: counts.right / labels.length,
    balancedAccuracy: mean((c) => counts.hits[c] / counts.of[c]),
    f1: mean((c) => (2 * counts.hits[c]) / (counts.given[c] + counts.of[c])),
    rocAuc: classes === 2 ? auc(1) : mean(auc),
  }
}

/** Probability that a text of the class scores higher than one of the others, ties counting half. */
export function rocAuc(scores: Float64Array, labels: ArrayLike<number>): number {
  const order = Array.from(scores.keys()).sort((a, b) => scores[a] - scores[b])
  let rankSum = 0
  let positives = 0
  for (let first = 0; first < order.length; ) {
    let end = first
    while (end < order.length && scores[order[end]] === scores[order[first]]) end++
    for (let i = first; i < end; i++)
      if (labels[order[i]] === 1) {
        rankSum += (first + 1 + end) / 2
        positives++
      }
    first = end
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (order.length - positives))
}

/** A mean over folds and its 95% confidence interval. */
export interface FoldInterval {
  mean: number
  low: number
  high: number
}

/** 97.5% quantiles of Student's t with 1 to 19 degrees of freedom. */
const studentT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093,
]

/**
 * Mean over 2 to 20 folds with a 95% interval, mean +- t s / sqrt(folds). Folds share most of their training texts, so that the
 * interval is somewhat too narrow (Bengio & Grandvalet 2004).
 */
export function foldInterval(values: readonly number[]): FoldInterval {
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)
  const half = studentT[n - 2] * Math.sqrt(variance / n)
  return { mean, low: mean - half, high: mean + half }
}
