import type { BaselinesReport, JudgedBaseline } from './baselines-report.js'
import type { Headline, Outcome, Verdict } from './verdict.js'

export const headlineLabels: Record<Headline, string> = {
  explainedVariance: 'explained variance',
  lossRecovered: 'loss recovered, zero',
  lossRecoveredMean: 'loss recovered, mean',
  kl: 'KL divergence',
}

export const outcomeLabels: Record<Outcome, string> = {
  beats: 'beats it',
  worse: 'does not: worse',
  tie: 'does not: no difference',
  unmatched: 'does not: other L0',
  unknown: 'not known',
}

/** A figure or a difference: shares in percent, nats with four decimals. */
export function showHeadline(headline: Headline, value: number | null): string {
  if (value === null) return '–'
  return headline === 'kl' ? value.toFixed(4) : `${(100 * value).toFixed(1)}%`
}

const amount = (headline: Headline, value: number): string =>
  headline === 'kl' ? `${value.toFixed(4)} nats` : `${(100 * value).toFixed(1)} points`

const range = ({ headline, interval }: Verdict): string => {
  if (interval === null) return ''
  const [low, high] = interval.map((end) => (headline === 'kl' ? end.toFixed(4) : (100 * end).toFixed(1)))
  return ` (95%: ${low} to ${high})`
}

/** One verdict as the end of a sentence that begins with the dictionary: "beats ... by ..." or "does not beat ...: ...". */
export function verdictWords(verdict: Verdict, { label }: Pick<JudgedBaseline, 'label'>): string {
  const { headline, outcome, advantage, reason } = verdict
  const by = advantage === null ? '' : amount(headline, Math.abs(advantage))
  switch (outcome) {
    case 'beats':
      return `beats ${label} by ${by}${range(verdict)}`
    case 'worse':
      return `does not beat ${label}: worse by ${by}${range(verdict)}`
    case 'tie':
      return `does not beat ${label}: no difference that is clear${range(verdict)}`
    case 'unmatched':
      return `does not beat ${label} at the same L0: ${(advantage as number) > 0 ? 'better' : 'worse'} by ${by}${range(verdict)}, but ${reason}`
    case 'unknown':
      return `is not shown to beat ${label}: ${reason}`
  }
}

/** The whole finding in a sentence or two. */
export function conclusion({ baselines, beatsAll }: BaselinesReport): string {
  if (beatsAll) return `The dictionary beats all ${baselines.length} baselines in every headline.`
  const failing = baselines
    .map(({ label, verdicts }) => {
      const names = verdicts
        .filter(({ outcome }) => outcome !== 'beats')
        .map(({ headline }) => headlineLabels[headline])
      return { label, names }
    })
    .filter(({ names }) => names.length > 0)
    .map(({ label, names }) => `${label} (${names.join('; ')})`)
  return `The dictionary does not beat every baseline. Not beaten: ${failing.join(', ')}.`
}
