import { createEffect } from 'solid-js'
import { createStore } from 'solid-js/store'
import type { FeatureNames } from '../../src/server/protocol'
import { get } from './api'

/*
 * Names of features that are mentioned: asked for together and once. The requests of everything that is shown at the same moment become one.
 */

/** features in one request */
const batch = 100

const [names, setNames] = createStore<Record<string, Record<number, string | null>>>({})
const wanted = new Map<string, Set<number>>()
const asked = new Map<string, Set<number>>()

const setOf = (sets: Map<string, Set<number>>, run: string): Set<number> => {
  const found = sets.get(run) ?? new Set<number>()
  sets.set(run, found)
  return found
}

function want(run: string, ids: readonly number[]): void {
  const before = setOf(asked, run)
  const missing = ids.filter((id) => !before.has(id))
  if (missing.length === 0) return
  if (setOf(wanted, run).size === 0) setTimeout(() => request(run), 0)
  for (const id of missing) {
    before.add(id)
    setOf(wanted, run).add(id)
  }
}

function request(run: string): void {
  const ids = [...setOf(wanted, run)].sort((a, b) => a - b)
  wanted.delete(run)
  for (let i = 0; i < ids.length; i += batch) {
    const part = ids.slice(i, i + batch)
    get<FeatureNames>(`/runs/${run}/features/names?ids=${part.join(',')}`).then(
      (answer) => setNames(run, Object.fromEntries(answer.names.map(({ feature, name }) => [feature, name]))),
      // Numbers are shown without names; the next page that mentions them asks again.
      () => part.forEach((id) => void setOf(asked, run).delete(id)),
    )
  }
}

/**
 * Names of features, as far as they are known yet: what is not known is asked for.
 * @returns `name(id)`: undefined while it is not known, null where the feature has no name; tracked
 */
export function useNames(
  run: () => string,
  ids: () => readonly number[],
): (id: number) => string | null | undefined {
  createEffect(() => want(run(), ids()))
  return (id) => names[run()]?.[id]
}

/** After a label was set: every mention of the feature shows it. */
export function rename(run: string, feature: number, name: string | null): void {
  setOf(asked, run).add(feature)
  setNames(run, { [feature]: name })
}
