import type { LogitWeight } from '../features/feature-store.js'

/** Where an example comes from. */
export type ExampleGroup =
  /** among the largest activations */
  | 'top'
  /** drawn at random from one activation interval */
  | 'interval'
  /** a place drawn at random from all text, whatever the feature does there */
  | 'random'
  /** one of the feature's top-activating tokens where the feature is not active */
  | 'out-of-context'
  /** where one of the nearest features is active and this one is not */
  | 'neighbour'

/** A stretch of text and what one feature does on it. */
export interface Example {
  group: ExampleGroup
  /** 0 is the lowest interval; null outside of the group 'interval' */
  interval: number | null
  split: 'train' | 'validation'
  document: number
  /** index in its document of the token that the example is about; <|endoftext|> is 0 */
  position: number
  /** which of `tokens` that is */
  tokenIndex: number
  tokens: readonly number[]
  /** the feature's activation on each of `tokens`, in the units of the store */
  activations: readonly number[]
}

/**
 * All that an explanation of one feature (or one neuron) may be made from, and what it is then scored on: the two share no context,
 * and what scores comes from held-out text.
 */
export interface FeatureEvidence {
  feature: number
  /** largest activation on the text that explains; activations are quantised against it */
  max: number
  /** share of tokens on which it is active */
  density: number
  /** empty where the hook point has no logit weights, and for neurons */
  topLogits: readonly LogitWeight[]
  bottomLogits: readonly LogitWeight[]
  /** active on one token only, as far as the text shows; reported apart */
  singleToken: boolean
  explain: readonly Example[]
  score: readonly Example[]
}

/** What an explanation is, whoever made it. */
export interface Explanation {
  feature: number
  /** short English */
  text: string
  /** `statistics`, `anthropic:<model>`, `openai:<model>`, ..., or `user` */
  explainer: string
}

/** Makes explanations. Must not look at `evidence.score`. */
export interface Explainer {
  name: string
  /** @throws MonosemError remote, config (budget spent) */
  explain(evidence: FeatureEvidence, signal?: AbortSignal): Promise<Explanation>
}

/** One figure of one explanation. */
export interface Score {
  /** `spearman`, `pearson`, `detection`, `fuzzing`, `intruder`, `embedding`, `logit` */
  scorer: string
  /** null where the score is not defined or could not be got; `reason` says why. Never counted as zero. */
  value: number | null
  reason: string | null
  /** what it was computed from: tokens, texts, answers */
  n: number
  /** further figures by name, e.g. f1 and auc beside balanced accuracy */
  details: Readonly<Record<string, number>>
}

/** A held-out example that an explanation was scored on, cropped as it was shown. All lists have one entry for each token. */
export interface ScoredExample
  extends Pick<Example, 'group' | 'interval' | 'document' | 'position' | 'tokenIndex' | 'tokens'> {
  /** quantised against the feature's maximum, 0 to 9 */
  activations: readonly number[]
  /** what the explanation predicts, quantised alike; null where nothing was predicted */
  predictions: readonly number[] | null
}

export type KeepExamples = (examples: ScoredExample[]) => void

/** Judges explanations on held-out examples. */
export interface Scorer {
  name: string
  /**
   * What one call judges gives these scores, in this order.
   * @param keep is handed the examples with what was predicted on them, by a scorer that predicts activations
   */
  score(
    explanation: Explanation,
    evidence: FeatureEvidence,
    signal?: AbortSignal,
    keep?: KeepExamples,
  ): Promise<Score[]>
}
