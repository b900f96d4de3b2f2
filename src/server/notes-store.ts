import { readFeatureExplanations } from '../explain/feature-explanations.js'
import type { FeatureNotes, NotesUpdate } from './protocol.js'

/** Labels, notes and explanations of a run's features. */
export interface NotesStore {
  get(feature: number): Promise<FeatureNotes>
  /** Replaces the label and the note of a feature: both or, when killed, neither. */
  put(feature: number, update: NotesUpdate): Promise<FeatureNotes>
  /** name of each named feature, and the Spearman score of its explanation */
  names(): ReadonlyMap<number, FeatureName>
  /** grows whenever a name or a score may have changed: what was made from `names()` is to be made again */
  version(): number
}

export interface FeatureName {
  name: string
  named: 'label' | 'explanation'
  score: number | null
}

/** @param directory `<run>/explanations`; need not be there */
export async function openNotes(directory: string, features: string): Promise<NotesStore> {
  const explanations = await readFeatureExplanations(directory, features)
  const names = new Map<number, FeatureName>()
  for (const [feature, [first]] of explanations) {
    const score = first.scores.find(({ scorer }) => scorer === 'spearman')?.value ?? null
    names.set(feature, {
      name: first.text,
      named: first.explainer === 'user' ? 'label' : 'explanation',
      score,
    })
  }
  const get = async (feature: number): Promise<FeatureNotes> => ({
    feature,
    label: null,
    note: null,
    explanations: (explanations.get(feature) ?? []).map(({ id, text, explainer, created, scores }) => ({
      ...{ id, text, explainer, created, hasExamples: false },
      scores: scores.map((score) => ({ ...score, details: { ...score.details } })),
    })),
  })
  return { get, put: (feature) => get(feature), names: () => names, version: () => 0 }
}
