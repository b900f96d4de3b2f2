import { createStore } from 'solid-js/store'
import { getFeature, getNotes } from '../../api'

/** What the lab shows of a feature besides its number. */
export interface KnownFeature {
  name: string | null
  /** its largest activation on the store's text: what strengths are multiples of */
  max: number
  /** it never fired, so it has no maximum */
  dead: boolean
}

/** Facts about the features that are steered; undefined while they are fetched, an error where they cannot be. */
export function createKnownFeatures(run: string) {
  const [known, setKnown] = createStore<Record<number, KnownFeature | Error>>({})

  const asked = new Set<number>()

  async function ask(feature: number): Promise<void> {
    if (asked.has(feature)) return
    asked.add(feature)
    try {
      const [page, notes] = await Promise.all([getFeature(run, feature), getNotes(run, feature)])
      const name = notes.label ?? notes.explanations[0]?.text ?? null
      setKnown(feature, { name, max: page.max, dead: page.fires === 0 })
    } catch (error) {
      asked.delete(feature)
      setKnown(feature, error instanceof Error ? error : new Error(String(error)))
    }
  }
  return { of: (feature: number) => known[feature], ask }
}
