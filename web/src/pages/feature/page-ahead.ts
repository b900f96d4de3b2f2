import type { FeaturePage } from '../../../../src/server/protocol'
import { getFeature } from '../../api'

/** Pages that the user will probably ask for next, already under way. */
const ahead = new Map<string, Promise<FeaturePage>>()

const most = 8

/** Asks for a page before it is needed, so that next and previous are there at once. */
export function fetchAhead(run: string, feature: number): void {
  const key = `${run}/${feature}`
  if (ahead.has(key)) return
  const page = getFeature(run, feature)
  // What fails here is asked for again when it is really wanted.
  page.catch(() => ahead.delete(key))
  ahead.set(key, page)
  if (ahead.size > most) ahead.delete(ahead.keys().next().value as string)
}

/** A page: the one that was fetched ahead, or a new request. Each is used once, so that nothing old is shown. */
export function takePage(run: string, feature: number): Promise<FeaturePage> {
  const key = `${run}/${feature}`
  const page = ahead.get(key)
  ahead.delete(key)
  return page ?? getFeature(run, feature)
}
