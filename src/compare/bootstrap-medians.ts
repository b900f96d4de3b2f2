import type { Interval } from '../eval/ratio-interval.js'
import type { Random } from '../random/random.js'

export interface MedianIntervals<Name extends string> {
  /** 95% interval of each list's median; null where a list was empty */
  medians: Record<Name, Interval | null>
  /** 95% interval of the first list's median minus that of each other list */
  differences: Partial<Record<Name, Interval | null>>
}

/**
 * Bootstrap (Efron 1979) of the medians of several lists and of the differences between the first and the others. In each replicate `draw` gives the
 * values (anew, where it draws the documents they were measured on) and every list is drawn from with replacement. Intervals are the median of the
 * values as they are, plus and minus 1.96 standard deviations over the replicates: drawing fewer different documents makes rare features less
 * similar, which would move an interval of percentiles off the median.
 * @param names of the lists, the first one is compared with the others
 * @param values of all lists as measured; NaN are left out, here and in what is drawn
 */
export function bootstrapMedians<Name extends string>(
  names: readonly Name[],
  values: Record<Name, Float64Array>,
  draw: (random: Random) => Record<Name, Float64Array>,
  replicates: number,
  random: Random,
): MedianIntervals<Name> {
  const drawn = Object.fromEntries(names.map((name) => [name, new Float64Array(replicates)])) as Record<
    Name,
    Float64Array
  >
  for (let r = 0; r < replicates; r++) {
    const again = draw(random)
    for (const name of names) drawn[name][r] = median(resampled(again[name], random)) ?? Number.NaN
  }
  const own = (name: Name): number => median(values[name]) ?? Number.NaN
  const [first, ...others] = names
  const medians = names.map((name) => [name, intervalAround(own(name), drawn[name])])
  const differences = others.map((name) => [
    name,
    intervalAround(
      own(first) - own(name),
      drawn[first].map((value, r) => value - drawn[name][r]),
    ),
  ])
  return { medians: Object.fromEntries(medians), differences: Object.fromEntries(differences) }
}

/** As many values as there are numbers, each drawn from them with replacement. */
function resampled(values: Float64Array, random: Random): Float64Array {
  const known = values.filter((value) => !Number.isNaN(value))
  return known.map(() => known[random.int(known.length)])
}

/** Null where a replicate had nothing to say. */
function intervalAround(value: number, drawn: Float64Array): Interval | null {
  const mean = drawn.reduce((sum, x) => sum + x, 0) / drawn.length
  const variance = drawn.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (drawn.length - 1)
  if (Number.isNaN(variance + value)) return null
  const half = 1.96 * Math.sqrt(variance)
  return [value - half, value + half]
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
