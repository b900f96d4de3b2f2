import type { Score } from '../evidence.js'

/** A score that was got. @param details figures that are not defined are left out */
export function scoreOf(
  scorer: string,
  value: number,
  n: number,
  details: Record<string, number | null> = {},
): Score {
  const defined = Object.entries(details).filter((entry): entry is [string, number] => entry[1] !== null)
  return { scorer, value, reason: null, n, details: Object.fromEntries(defined) }
}

/** A score that there is not, and why. */
export const noScore = (scorer: string, reason: string, n = 0): Score => ({
  scorer,
  value: null,
  reason,
  n,
  details: {},
})
