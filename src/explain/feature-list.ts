import { MonosemError } from '../errors/monosem-error.js'
import { requireFeature } from '../sae/require-feature.js'

/**
 * Reads numbers and ranges of features: ['0-499,700', '812-820'].
 * @param features how many there are
 * @returns ascending, each once; all of them when nothing is asked for
 * @throws MonosemError config (not a number or range), missing (no such feature)
 */
export function readFeatureList(parts: readonly string[], features: number): number[] {
  const items = parts.flatMap((part) => part.split(','))
  if (items.length === 0) return Array.from({ length: features }, (_, i) => i)
  const ids = new Set<number>()
  for (const item of items) {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(item) ?? []
    if (first === undefined || Number(last) < Number(first))
      throw new MonosemError(
        'config',
        `--features: expected numbers and ranges like 0-499,700, got ${JSON.stringify(item)}`,
      )
    requireFeature(Number(last), features)
    for (let id = Number(first); id <= Number(last); id++) ids.add(id)
  }
  return [...ids].sort((a, b) => a - b)
}
