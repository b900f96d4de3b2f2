import type { Score } from '../evidence.js'
import { binaryScores } from './binary-scores.js'
import type { Judgements } from './judge.js'
import { noScore, scoreOf } from './score-of.js'

/** A thing that was judged: the truth, and what kind of negative it is (null for positives). */
export interface JudgedItem {
  positive: boolean
  /** name of the kind, as it ends the name of a figure: `Random`, `OutOfContext`, ... */
  kind: string | null
}

/**
 * Balanced accuracy of the answers that there are, with F1, AUC and the specificity for each kind of negative. Failed answers are left
 * out and counted in `failed`.
 */
export function judgedScore(scorer: string, items: readonly JudgedItem[], judgements: Judgements): Score {
  const { probabilities, reasons } = judgements
  const answered = items.flatMap((item, i) => {
    const probability = probabilities[i]
    return probability === null ? [] : [{ ...item, probability }]
  })
  const scoresOf = (some: typeof answered) =>
    binaryScores(
      some.map(({ positive }) => positive),
      some.map(({ probability }) => probability),
    )
  const { balancedAccuracy, ...figures } = scoresOf(answered)
  const failed = items.length - answered.length
  if (balancedAccuracy === null) return noScore(scorer, undefinedReason(items, reasons), answered.length)
  const byKind: Record<string, number | null> = {}
  for (const kind of new Set(answered.map((item) => item.kind)))
    if (kind !== null)
      byKind[`specificity${kind}`] = scoresOf(answered.filter((item) => item.kind === kind)).specificity
  return scoreOf(scorer, balancedAccuracy, answered.length, { ...figures, ...byKind, failed })
}

function undefinedReason(items: readonly JudgedItem[], reasons: readonly string[]): string {
  if (reasons.length > 0) return `too few answers: ${reasons[0]}`
  return items.some(({ positive }) => positive)
    ? 'there is nothing held out on which the feature is silent'
    : 'there is nothing held out on which the feature is active'
}
