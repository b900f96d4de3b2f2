import type { DroppedUnit } from './collect-evidence.js'
import type { Score } from './evidence.js'
import type { StoredExplanation } from './explanations.js'
import { type MeanInterval, meanInterval } from './mean-interval.js'

/** What came of one feature. */
export interface ExplainedFeature {
  feature: number
  /** `dead` and `rare`: there is too little text of it; `failed`: the explainer gave none */
  status: 'explained' | 'dead' | 'rare' | 'failed'
  /** null for what is not explained */
  text: string | null
  /** why it is not explained */
  reason: string | null
  singleToken: boolean
  scores: readonly Score[]
}

/** Mean Spearman scores and what they are to be held against. */
export interface ExplainAggregates {
  features: MeanInterval
  /** the same without features that are active on one token only, and those alone */
  withoutSingleToken: MeanInterval
  singleToken: MeanInterval
  /** explanations of other features */
  shuffled: MeanInterval
  /** by statistics: the same features, the neuron that goes with each most, and all neurons */
  statistics: MeanInterval
  bestNeuron: MeanInterval
  neurons: MeanInterval
}

export interface ExplainReport {
  explainer: string
  features: ExplainedFeature[]
  aggregates: ExplainAggregates
  /** how many came to what */
  counts: Record<ExplainedFeature['status'], number>
  /** explained features whose Spearman score could not be got; in no mean */
  unscored: number
}

/** The value of one scorer; null where there is none. */
export const scoreNamed = (scores: readonly Score[], scorer: string): number | null =>
  scores.find((score) => score.scorer === scorer)?.value ?? null

export function explainReport(
  explainer: string,
  explained: readonly StoredExplanation[],
  missing: {
    dropped: readonly Pick<DroppedUnit, 'id' | 'reason'>[]
    failed: readonly { feature: number; reason: string }[]
  },
  neurons: MeanInterval,
): ExplainReport {
  const features: ExplainedFeature[] = [
    ...explained.map(({ feature, text, scores }) => ({
      feature,
      status: 'explained' as const,
      text,
      reason: null,
      singleToken: scores.some(({ details }) => details.singleToken === 1),
      scores,
    })),
    ...missing.dropped.map(({ id, reason }) => withoutText(id, reason, dropReasons[reason])),
    ...missing.failed.map(({ feature, reason }) => withoutText(feature, 'failed', reason)),
  ].sort((a, b) => a.feature - b.feature)
  const done = features.filter(({ status }) => status === 'explained')
  const mean = (scorer: string, some = done): MeanInterval =>
    meanInterval(some.map(({ scores }) => scoreNamed(scores, scorer)))
  const count = (status: ExplainedFeature['status']): number =>
    features.filter((feature) => feature.status === status).length
  return {
    explainer,
    features,
    aggregates: {
      features: mean('spearman'),
      withoutSingleToken: mean(
        'spearman',
        done.filter(({ singleToken }) => !singleToken),
      ),
      singleToken: mean(
        'spearman',
        done.filter(({ singleToken }) => singleToken),
      ),
      shuffled: mean('shuffled'),
      statistics: mean(explainer === 'statistics' ? 'spearman' : 'statistics'),
      bestNeuron: mean('neuron'),
      neurons,
    },
    counts: {
      explained: done.length,
      dead: count('dead'),
      rare: count('rare'),
      failed: count('failed'),
    },
    unscored: done.filter(({ scores }) => scoreNamed(scores, 'spearman') === null).length,
  }
}

const dropReasons: Record<DroppedUnit['reason'], string> = {
  dead: 'never active on the text',
  rare: 'active on too few tokens to explain and score it',
}

const withoutText = (
  feature: number,
  status: 'dead' | 'rare' | 'failed',
  reason: string,
): ExplainedFeature => ({ feature, status, text: null, reason, singleToken: false, scores: [] })
