import type { FeatureNotes } from '../../../../src/server/protocol'

/** What a feature is called: the user's label, else the explanation that predicts it best. */
export function nameOf({ label, explanations }: FeatureNotes): string | null {
  if (label !== null) return label
  const score = ({ scores }: FeatureNotes['explanations'][number]): number =>
    scores.find(({ scorer }) => scorer === 'spearman')?.value ?? Number.NEGATIVE_INFINITY
  const [first, ...others] = explanations
  if (first === undefined) return null
  return others.reduce((best, one) => (score(one) > score(best) ? one : best), first).text
}
