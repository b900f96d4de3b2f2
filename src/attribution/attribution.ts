import type { Metric } from '../model/logit-metric.js'

/** What one feature does for the metric, at one position or at several together. */
export interface FeatureAttribution {
  feature: number
  /** 0 is the start-of-text token, which is left out; ascending */
  positions: number[]
  /** the largest over the positions */
  activation: number
  /** sum over the positions of f_i(p) g_p . d_i */
  gradientTimesActivation: number
  /**
   * direct effect on the logit above the mean of all logits (or on the difference of logits): only the last position has any; null where
   * the hook point does not write to the residual stream
   */
  direct: number | null
  /** metric less its value with the feature ablated at the positions, everything else as it is; null: not verified */
  ablation: number | null
}

/** How well an estimate agrees with true ablation. Null where it cannot be said. */
export interface Agreement {
  /** features (at positions) compared */
  n: number
  pearson: number | null
  spearman: number | null
}

export interface Attribution {
  /** of the prompt, the start-of-text token first */
  tokens: number[]
  metric: Metric
  /** of the model as it is */
  value: number
  /** of the target as the next token */
  probability: number
  /** all active features that can act on the metric, largest |gradient x activation| first */
  features: FeatureAttribution[]
  /** sum of gradient x activation over all of them */
  total: number
  /** the same of the autoencoder's error, what no feature explains: sum_p g_p . (x_p - xHat_p) */
  error: number
  agreement: { gradient: Agreement; direct: Agreement } | null
}
