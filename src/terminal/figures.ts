/** A share as a percentage; "–" where there is none. */
export const percent = (value: number | null | undefined, digits = 1): string =>
  value === null || value === undefined ? '–' : `${(100 * value).toFixed(digits)}%`

/** A number with a fixed count of decimals; "–" where there is none. */
export const decimals = (value: number | null | undefined, digits: number): string =>
  value === null || value === undefined ? '–' : value.toFixed(digits)
