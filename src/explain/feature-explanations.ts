import { existsSync } from 'node:fs'
import { decimals } from '../terminal/figures.js'
import { openExplanations, type StoredExplanation } from './explanations.js'
import { explanationsFile } from './explanations-file.js'
import { byHand } from './user-notes.js'

/** As many as there are. */
const all = 2 ** 31 - 1

/**
 * What features were explained by, by feature: people's own explanations first, then the newest of each explainer. Empty where nothing
 * has been explained yet; nothing is made there.
 * @param directory `<run>/explanations`
 * @param features the `features` directory that the explanations must be about
 * @param ids default: all features
 * @throws MonosemError missing (no features), config (explanations of other features), busy, corrupt, io
 */
export async function readFeatureExplanations(
  directory: string,
  features: string,
  ids?: readonly number[],
): Promise<Map<number, StoredExplanation[]>> {
  const byFeature = new Map<number, StoredExplanation[]>()
  if (!existsSync(explanationsFile(directory))) return byFeature
  const store = await openExplanations(directory, features)
  for (const explanation of await store.list({ features: ids, limit: all })) {
    const own = byFeature.get(explanation.feature)
    if (own) own.push(explanation)
    else byFeature.set(explanation.feature, [explanation])
  }
  return new Map(Array.from(byFeature, ([feature, own]) => [feature, newestOfEach(own)]))
}

/**
 * What counts of all explanations of one feature: people's own first, then the newest of each explainer.
 * @param explanations newest first
 */
export function newestOfEach<E extends Pick<StoredExplanation, 'explainer' | 'text'>>(
  explanations: readonly E[],
): E[] {
  const kept: E[] = []
  for (const explanation of explanations)
    if (!kept.some((newer) => supersedes(newer, explanation))) kept.push(explanation)
  return kept.sort((a, b) => Number(b.explainer === byHand) - Number(a.explainer === byHand))
}

type Said = Pick<StoredExplanation, 'explainer' | 'text'>

/** People may say several things of a feature, an explainer only one. */
const supersedes = (newer: Said, older: Said): boolean =>
  newer.explainer === older.explainer && (newer.explainer !== byHand || newer.text === older.text)

/** The first explanation of each feature. */
export const firstTexts = (
  explanations: ReadonlyMap<number, readonly StoredExplanation[]>,
): Map<number, string> => new Map(Array.from(explanations, ([feature, [{ text }]]) => [feature, text]))

/** Scores of other explanations, kept beside this one's for comparison. */
const comparisons: readonly string[] = ['statistics', 'neuron', 'shuffled']

/** Who made an explanation and how it scored: "by statistics; spearman 0.91, pearson 0.88". */
export function describeSource({
  explainer,
  scores,
}: Pick<StoredExplanation, 'explainer' | 'scores'>): string {
  const own = scores.filter(({ scorer, value }) => value !== null && !comparisons.includes(scorer))
  const figures = own.map(({ scorer, value }) => `${scorer} ${decimals(value, 2)}`)
  const maker = explainer === byHand ? 'by hand' : `by ${explainer}`
  return figures.length > 0 ? `${maker}; ${figures.join(', ')}` : maker
}
