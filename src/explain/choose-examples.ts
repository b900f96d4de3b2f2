import { locate } from '../corpus/windows.js'
import type { Example as StoredExample } from '../features/example-slots.js'
import { drawIntervalExamples } from '../features/interval-examples.js'
import { topExamplesOf } from '../features/top-examples.js'
import type { Candidates } from './candidates.js'
import { cropExample } from './crop.js'
import type { Example, ExampleGroup } from './evidence.js'
import type { ExampleCounts } from './evidence-config.js'
import { type PlaceSamples, placesOfUnit } from './place-samples.js'

/**
 * Chooses a unit's examples of one set: top first, then the intervals from the highest down, random places, top tokens out of context, and
 * neighbours. No two examples, and none of those in `taken`, have the same tokens around their middle; what is chosen is added there.
 * @param predictTokens how many tokens around the middle have to differ
 * @param taken keys of the examples that may not come again
 */
export function chooseExamples(
  candidates: Candidates,
  unit: number,
  counts: ExampleCounts,
  predictTokens: number,
  taken: Set<string>,
): Example[] {
  const { split, collector } = candidates
  const chosen: Example[] = []
  const take = (stored: StoredExample, group: ExampleGroup, interval: number | null = null): boolean => {
    const example = exampleOf(candidates, stored, group, interval)
    const key = cropExample(example, predictTokens).tokens.join(' ')
    if (taken.has(key)) return false
    taken.add(key)
    chosen.push(example)
    return true
  }
  const takeSome = (stored: readonly StoredExample[], group: ExampleGroup, wanted: number): void => {
    let found = 0
    for (const example of stored) {
      if (found === wanted) break
      if (take(example, group)) found++
    }
  }
  takeSome(topExamplesOf(collector.top, unit), 'top', counts.top)
  drawIntervalExamples(collector.samples, split, collector.histograms, unit, {
    max: collector.max[unit],
    intervals: counts.intervals,
    perInterval: counts.perInterval,
    taken: [],
    accept: (stored, interval) => take(stored, 'interval', interval),
  })
  const places = (samples: PlaceSamples): StoredExample[] => placesOfUnit(samples, unit)
  takeSome(places(candidates.random), 'random', counts.random)
  takeSome(places(candidates.outOfContext), 'out-of-context', counts.outOfContext)
  takeSome(places(candidates.neighbours), 'neighbour', counts.neighbours)
  return chosen
}

function exampleOf(
  { split }: Candidates,
  { token, range, activations }: StoredExample,
  group: ExampleGroup,
  interval: number | null,
): Example {
  const { document, offset } = locate(split, token)
  return {
    group,
    interval,
    split: split.name,
    document,
    position: offset,
    tokenIndex: token - range.first,
    tokens: Array.from(split.tokens.subarray(range.first, range.end)),
    activations: Array.from(activations),
  }
}
