import type { Interval } from '../eval/ratio-interval.js'
import { formatSeconds } from '../progress/rate.js'

const suffixes = ['', 'k', 'M', 'B', 'T']

/** A count as people write it: "512", "4.1k", "34M", "8B". */
export function formatCount(value: number): string {
  const power = value < 1000 ? 0 : Math.min(suffixes.length - 1, Math.floor(Math.log10(value) / 3 + 1e-9))
  return `${Number((value / 1000 ** power).toPrecision(3))}${suffixes[power]}`
}

/** Compute in FLOP: "1.6e12". */
export const formatFlop = (value: number): string =>
  value.toExponential(1).replace('e+', 'e').replace('.0e', 'e')

/** Three significant digits. */
export const formatFit = (value: number): string =>
  value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
    ? value.toExponential(2).replace('e+', 'e')
    : String(Number(value.toPrecision(3)))

export const formatInterval = ([low, high]: Interval, show: (value: number) => string = formatFit): string =>
  `${show(low)} to ${show(high)}`

/** Reads "34M", "8B", "4096" or "1e6". NaN where it is none of them. */
export function parseCount(text: string): number {
  const [, digits, suffix = ''] = /^(\d[\d_]*(?:\.\d+)?(?:e\d+)?)([kMBT]?)$/i.exec(text.trim()) ?? []
  if (digits === undefined) return Number.NaN
  const power = suffixes.findIndex((known) => known.toLowerCase() === suffix.toLowerCase())
  return Math.round(Number(digits.replaceAll('_', '')) * 1000 ** power)
}

/** Hours and minutes, days, or years where it comes to that. */
export function longTime(seconds: number): string {
  const years = seconds / (365.25 * 86_400)
  if (years >= 1) return `${formatCount(Number(years.toPrecision(2)))} years`
  return seconds > 100 * 3600 ? `${Math.round(seconds / 86_400)} days` : formatSeconds(seconds)
}
