import type { Random } from '../random/random.js'

/** [low, high] */
export type Interval = [number, number]

export interface MedianIntervals<Name extends string> {
  /** 95% interval of each list's median; null where the list was empty in a replicate */
  medians: Record<Name, Interval | null>
  /** 95% interval of the first list's median minus that of each other list */
  differences: Partial<Record<Name, Interval | null>>
}

/**
 * Percentile bootstrap (Efron 1979) of the medians of several lists and of the differences between the first and the others. In each replicate `draw`
 * gives the values (anew, where it draws the documents they were measured on) and every list is drawn from with replacement.
 * @param names of the lists, the first one is compared with the others
 * @param draw values of all lists; NaN are left out
 */
export function bootstrapMedians<Name extends string>(
  names: readonly Name[],
  draw: (random: Random) => Record<Name, Float64Array>,
  replicates: number,
  random: Random,
): MedianIntervals<Name> {
  const medians = Object.fromEntries(names.map((name) => [name, new Float64Array(replicates)])) as Record<
    Name,
    Float64Array
  >
  for (let r = 0; r < replicates; r++) {
    const values = draw(random)
    for (const name of names) medians[name][r] = median(resampled(values[name], random)) ?? Number.NaN
  }
  const [first, ...others] = names
  const differences = others.map((name) => [
    name,
    intervalOf(medians[first].map((value, r) => value - medians[name][r])),
  ])
  return {
    medians: Object.fromEntries(names.map((name) => [name, intervalOf(medians[name])])) as Record<
      Name,
      Interval | null
    >,
    differences: Object.fromEntries(differences),
  }
}

/** As many values as there are numbers, each drawn from them with replacement. */
function resampled(values: Float64Array, random: Random): Float64Array {
  const known = values.filter((value) => !Number.isNaN(value))
  return known.map(() => known[random.int(known.length)])
}

function intervalOf(values: Float64Array): Interval | null {
  if (values.some(Number.isNaN)) return null
  const sorted = values.sort()
  return [quantileOfSorted(sorted, 0.025), quantileOfSorted(sorted, 0.975)]
}

/** The middle of the numbers in a list; null where there are none. */
export function median(values: Float64Array): number | null {
  return quantiles(values, [0.5])?.[0] ?? null
}

/** Quantiles of the numbers in a list, interpolated between neighbours; null where there are none. */
export function quantiles(values: Float64Array, shares: readonly number[]): number[] | null {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort()
  return sorted.length === 0 ? null : shares.map((share) => quantileOfSorted(sorted, share))
}

function quantileOfSorted(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(sorted.length - 1, below + 1)
  return sorted[below] + (at - below) * (sorted[above] - sorted[below])
}

/** How often each of n things comes when n are drawn with replacement. [n] */
export function drawCounts(n: number, random: Random): Float64Array {
  const counts = new Float64Array(n)
  for (let i = 0; i < n; i++) counts[random.int(n)]++
  return counts
}
