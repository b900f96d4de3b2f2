/** One line of the feature list. */
export interface FeatureRow {
  feature: number
  /** tokens of the sample on which it fired */
  fires: number
  /** fires as a share of the sample */
  density: number
  max: number
  /** over the tokens on which it fired; null when it never did */
  mean: number | null
  /** at least 99% of its fires are on one token of the vocabulary */
  singleToken: boolean
  /** output tokens with the largest logit weights, largest first */
  topTokens: number[]
  /** context of the strongest example with the activations over it; null when there is none */
  topExample: FeatureExample | null
}

/** A feature on one stretch of text. */
export interface FeatureExample {
  /** null for top examples, else the interval that it was drawn from (0 is the lowest) */
  interval: number | null
  rank: number
  activation: number
  document: number
  /** index of the token in its document; <|endoftext|> is 0 */
  position: number
  /** which of `tokens` the example is about */
  tokenIndex: number
  tokens: number[]
  /** the feature's activation on each of `tokens` */
  activations: number[]
}

/** An output token and the feature's weight on its logit. */
export interface LogitWeight {
  token: number
  weight: number
}

/** A share of the feature's fires, and the activation that this share does not exceed. */
export interface ActivationQuantile {
  /** 0 to 1 */
  probability: number
  activation: number
}

/** What a feature does on one token of the vocabulary. */
export interface TokenStatistics {
  token: number
  /** text positions of the sample with this token on which the feature fired */
  active: number
  /** text positions of the sample with this token */
  occurrences: number
  /** sum of the feature's activations on them */
  activationSum: number
  /** P(fires | token) / P(fires) */
  lift: number
}

/** Another feature that fires together with this one. */
export interface CoActiveFeature {
  feature: number
  /** tokens on which both fired */
  count: number
  /** tokens on which both fired, as a share of those on which either did */
  jaccard: number
  /** of the activations over all tokens, zeros included */
  pearson: number
  cosine: number
}

/** A neuron (dimension of the hook point) that the feature's decoder row writes to. */
export interface AlignedNeuron {
  neuron: number
  /** the entry of the decoder row */
  value: number
  /** its size as a share of the row's L1 norm */
  l1: number
}

/** A neuron whose activation goes with the feature's over the text. */
export interface CorrelatedNeuron {
  neuron: number
  /** of the activations over all tokens, zeros included */
  pearson: number
  cosine: number
}

/** Moments of a feature's logit weights over the vocabulary. */
export interface LogitStatistics {
  /** 0 up to rounding, because logit weights are centred */
  mean: number
  standardDeviation: number
  /** third standardised moment */
  skewness: number
  /** fourth standardised moment; 3 for a normal distribution */
  kurtosis: number
}

/** Everything that is known about one feature. */
export interface FeatureDetail extends Omit<FeatureRow, 'topTokens' | 'topExample'> {
  /** equal bins over (0, range] */
  histogram: { range: number; counts: number[] }
  /** of the activations where it fired; empty when it never did */
  quantiles: ActivationQuantile[]
  /** tokens on which it is most active, largest sum of activations first */
  tokens: TokenStatistics[]
  /** the most activation that may be missing from any token's sum; 0: the table is exact */
  tokensMissed: number
  /** features that it fires together with, largest Jaccard index first */
  coActive: CoActiveFeature[]
  /** the most fires that may be missing from any count of `coActive`; 0: the counts are exact */
  coActiveMissed: number
  /** largest share first */
  alignedNeurons: AlignedNeuron[]
  /** largest correlation first */
  correlatedNeurons: CorrelatedNeuron[]
  topLogits: LogitWeight[]
  /** smallest first */
  bottomLogits: LogitWeight[]
  /** null where the hook point has no logit weights */
  logitStatistics: LogitStatistics | null
  /** equal bins over [low, high], the range of the logit weights; null where there are none */
  logitHistogram: { low: number; high: number; counts: number[] } | null
  /** largest activation first */
  top: FeatureExample[]
  /** highest interval first */
  intervals: FeatureExample[]
}
