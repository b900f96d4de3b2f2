import type { Interval } from '../eval/ratio-interval.js'

/** A number to 4 decimals, as universality.json holds them. */
export const rounded = (value: number): number => Number(value.toFixed(4))

export const roundedOrNull = (value: number): number | null => (Number.isNaN(value) ? null : rounded(value))

export const roundedInterval = (interval: Interval | null): Interval | null =>
  interval && [rounded(interval[0]), rounded(interval[1])]
