import type { Interval } from '../eval/ratio-interval.js'

/** The content of universality.json: what two dictionaries, each on its own model, have in common. Numbers are rounded to 4 decimals. */
export interface Universality {
  version: 1
  text: {
    split: 'train' | 'validation'
    /** text positions of the half of the documents that partners were chosen on */
    choosing: number
    /** and of the half that they were measured on again */
    heldOut: number
    /** documents of that half */
    heldOutDocuments: number
    /** fewest tokens that a feature fired on, on the half that chose, to be compared */
    minFires: number
  }
  a: Side
  b: Side
  /** similarity of a column of A and its best partner in B, by what is compared */
  activation: Record<Comparison, SimilaritySummary>
  /** null where a hook point has no logit weights, see `noLogitWeights` */
  logitWeights: Record<Comparison, SimilaritySummary> | null
  noLogitWeights: string | null
  agreement: Agreement
  /** by how often the features of A fire, rarest first */
  density: DensityBin[]
  aToB: FeaturePartners
  bToA: FeaturePartners
}

/**
 * What is compared. `shuffled`: the features of A with those of B on text that does not match (activation), or with the vocabulary in another order
 * (logit weights): what the best of so many partners reaches by chance.
 */
export type Comparison = 'features' | 'neurons' | 'featuresToNeurons' | 'shuffled'

export interface Side {
  hookName: string
  /** F */
  features: number
  /** features that fired on at least `minFires` tokens */
  compared: number
  /** that never fired on the half that chose */
  dead: number
  /** D, dimensions of the hook point */
  neurons: number
}

/** The distribution of the similarity with the best partner. */
export interface SimilaritySummary {
  /** columns of A that have a partner; columns of B that could be one */
  compared: number
  candidates: number
  /** null, with the reason, where there are too few columns to say anything */
  median: number | null
  reason: string | null
  /** 95% interval of the median, over columns */
  interval: Interval | null
  /** the median of `features` minus this one, with its 95% interval; null for `features` itself */
  below: Difference | null
  /** the 0th, 1st, ..., 100th percentile; null without columns */
  percentiles: number[] | null
  /** activations only: the same pairs on the half that did not choose them; null for `shuffled` */
  heldOut: HeldOut | null
}

export interface Difference {
  value: number
  interval: Interval | null
}

export interface HeldOut {
  compared: number
  median: number | null
  /** 95% interval over columns and documents */
  interval: Interval | null
  below: Difference | null
}

/** Do both similarities say the same? */
export interface Agreement {
  /** features of A with a partner by both */
  compared: number
  /** share of them for which both name the same partner */
  samePartner: number | null
  interval: Interval | null
  /** Spearman correlation over features: similarity by activation with similarity by logit weights, of the same pair (the partner by activation) */
  spearman: number | null
  /** share of the features of A whose partner by activation has them as its partner in turn */
  mutual: number | null
  mutualInterval: Interval | null
}

export interface DensityBin {
  /** log10 of the share of tokens that features fire on: [from, to) */
  from: number
  to: number
  features: number
  /** medians and quartiles of the best partner's similarity; null where there are too few features */
  activation: Quartiles | null
  logitWeights: Quartiles | null
}

/** [25%, 50%, 75%] */
export type Quartiles = [number, number, number]

/** The best partners of each feature, as lists by feature id [F]. Null: not compared, it fired too seldom. */
export interface FeaturePartners {
  /** tokens that the feature fired on, on the half that chose */
  fires: number[]
  activation: {
    partner: (number | null)[]
    similarity: (number | null)[]
    /** of the same pair on the other half */
    heldOut: (number | null)[]
    /** logit-weight similarity of the same pair */
    logitSimilarity: (number | null)[]
  }
  /** null without logit weights */
  logitWeights: {
    partner: (number | null)[]
    similarity: (number | null)[]
  } | null
}
