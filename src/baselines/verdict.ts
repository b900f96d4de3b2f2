import type { DocumentSums, Ratio } from '../eval/document-sums.js'
import type { EvalReport } from '../eval/eval-report.js'
import type { EvalColumn } from '../eval/eval-sums.js'
import { intervalDocuments } from '../eval/power.js'
import type { Interval } from '../eval/ratio-interval.js'

/** The figures that a dictionary is judged by. */
export type Headline = 'explainedVariance' | 'lossRecovered' | 'lossRecoveredMean' | 'kl'

/** A report, and the sums per document that it was drawn from. */
export interface Measured {
  report: EvalReport
  /** [documents] by name, in the order in which the documents were first read */
  columns: Record<EvalColumn, number[]>
}

/**
 * beats: better, and the 95% interval of the difference leaves out 0; worse: the same the other way round; tie: the interval holds 0;
 * unmatched: better or worse, but with another number of active features, which alone may make the difference; unknown: one of the two
 * numbers, or the interval, is not known. Only the first is a win.
 */
export type Outcome = 'beats' | 'worse' | 'tie' | 'unmatched' | 'unknown'

export interface Verdict {
  headline: Headline
  outcome: Outcome
  /** the dictionary's figure less the baseline's, with the sign that makes more better; null where it is unknown */
  advantage: number | null
  /** 95%, paired over documents */
  interval: Interval | null
  /** why there is no clear answer; null where there is one */
  reason: string | null
}

/** L0s are matched up to a tenth: a difference that more active features would not explain. */
const matchedL0 = 1.1

interface HeadlineKind {
  ratio: Ratio<EvalColumn>
  better: 'high' | 'low'
}

/** As in the report: 1 - error / deviation, (ablated - spliced) / (ablated - clean), KL / targets. */
const headlines: Record<Headline, HeadlineKind> = {
  explainedVariance: {
    ratio: {
      over: [
        [1, 'deviation'],
        [-1, 'squaredError'],
      ],
      under: [[1, 'deviation']],
    },
    better: 'high',
  },
  lossRecovered: { ratio: recovered('zeroAblated'), better: 'high' },
  lossRecoveredMean: { ratio: recovered('meanAblated'), better: 'high' },
  kl: { ratio: { over: [[1, 'kl']], under: [[1, 'targets']] }, better: 'low' },
}

function recovered(ablated: EvalColumn): Ratio<EvalColumn> {
  return {
    over: [
      [1, ablated],
      [-1, 'spliced'],
    ],
    under: [
      [1, ablated],
      [-1, 'clean'],
    ],
  }
}

/** All headlines of one dictionary against one baseline. The KL of another model's predictions compares with nothing, so it is left out there. */
export function judge(dictionary: Measured, baseline: Measured, ownModel: boolean): Verdict[] {
  const names = Object.keys(headlines) as Headline[]
  return names
    .filter((name) => ownModel || name !== 'kl')
    .map((name) => verdictOn(name, dictionary, baseline))
}

function verdictOn(headline: Headline, dictionary: Measured, baseline: Measured): Verdict {
  const [own, other] = [dictionary.report[headline], baseline.report[headline]]
  const unknown = (reason: string): Verdict => ({
    ...{ headline, outcome: 'unknown', advantage: null, interval: null },
    reason,
  })
  if (own === null) return unknown(missingFigure('the dictionary', headline, dictionary.report))
  if (other === null) return unknown(missingFigure('the baseline', headline, baseline.report))
  const sign = headlines[headline].better === 'high' ? 1 : -1
  const advantage = sign * (own - other)
  const half = halfWidth(headlines[headline].ratio, dictionary, baseline)
  if (half === null)
    return {
      ...unknown(`${dictionary.report.documents} documents are too few for an interval`),
      advantage,
    }
  const interval: Interval = [advantage - half, advantage + half]
  return { headline, advantage, interval, ...outcomeOf(interval, dictionary.report.l0, baseline.report.l0) }
}

function missingFigure(whose: string, headline: Headline, { underpowered }: EvalReport): string {
  const why = underpowered.find(({ claim }) => claim === headline)?.reason
  return why === undefined ? `${whose} has no such figure` : `${whose}: ${why}`
}

function outcomeOf([low, high]: Interval, l0: number, otherL0: number): Pick<Verdict, 'outcome' | 'reason'> {
  if (low <= 0 && high >= 0) return { outcome: 'tie', reason: 'the interval of the difference holds 0' }
  const [more, fewer] = low > 0 ? [l0, otherL0] : [otherL0, l0]
  if (more > matchedL0 * fewer) {
    const whose = low > 0 ? 'the dictionary has' : 'the baseline has'
    return {
      outcome: 'unmatched',
      reason: `${whose} more active features: ${more.toFixed(1)} to ${fewer.toFixed(1)}`,
    }
  }
  return { outcome: low > 0 ? 'beats' : 'worse', reason: null }
}

/**
 * Half the 95% interval of a difference of two ratios over the same documents, by linearisation: with R = sum a / sum b and R' of the other,
 * variance = n / (n - 1) sum_i ((a_i - R b_i) / sum b - (a'_i - R' b'_i) / sum b')^2. Pairing takes out what makes a document easy or
 * hard for both. Null with fewer documents than an interval takes.
 */
function halfWidth(ratio: Ratio<EvalColumn>, dictionary: Measured, baseline: Measured): number | null {
  const [own, other] = [deviations(ratio, dictionary.columns), deviations(ratio, baseline.columns)]
  const n = own.length
  if (n < intervalDocuments) return null
  let squares = 0
  for (let i = 0; i < n; i++) squares += (own[i] - other[i]) ** 2
  return 1.96 * Math.sqrt((n / (n - 1)) * squares)
}

/** (a_i - R b_i) / sum b of every document. */
function deviations({ over, under }: Ratio<EvalColumn>, columns: Measured['columns']): Float64Array {
  const [a, b] = [combined(over, columns), combined(under, columns)]
  const below = b.reduce((sum, value) => sum + value, 0)
  const value = a.reduce((sum, each) => sum + each, 0) / below
  return a.map((each, i) => (each - value * b[i]) / below)
}

function combined(
  terms: Ratio<EvalColumn>['over'],
  columns: DocumentSums<EvalColumn>['columns'],
): Float64Array {
  const total = new Float64Array(columns.tokens.length)
  for (const [sign, name] of terms) for (let i = 0; i < total.length; i++) total[i] += sign * columns[name][i]
  return total
}
