import type { Tokenizer } from '../corpus/tokenizer.js'
import { displayWidth, fitToWidth } from '../terminal/display-width.js'

/** How features are shown in a terminal. */
export interface RenderOptions {
  tokenizer: Pick<Tokenizer, 'tokenBytes' | 'tokenText'>
  /** shade tokens with background colours; otherwise active tokens are marked «token|0.8» */
  color: boolean
  /** columns; default 100 */
  width?: number
  /** shown in the heading of a feature */
  hookName?: string
  /** how many intervals examples were drawn from, to show each one's limits */
  intervals?: number
}

export const defaultWidth = 100

function style(text: string, code: string, color: boolean): string {
  return color && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text
}

export const bold = (text: string, color: boolean): string => style(text, '1', color)
export const dim = (text: string, color: boolean): string => style(text, '2', color)

/** A token on one line for people: blanks visible, because they belong to the token. */
export function visibleToken(token: number, { tokenizer }: RenderOptions): string {
  return tokenizer.tokenText(token).replaceAll(' ', '␣')
}

export const wholeNumber = (value: number): string => Math.round(value).toLocaleString('en-US')

/** "−1.23", "+0.04". */
export const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`

/** Columns of a bar of the largest length. */
export const barWidth = 10

/** A bar in `barWidth` columns. */
export function bar(value: number, largest: number, color: boolean): string {
  const length = largest > 0 ? Math.round((barWidth * Math.abs(value)) / largest) : 0
  return dim('▪'.repeat(length), color) + ' '.repeat(barWidth - length)
}

/** One half of a section: a heading, and lines of at most the given columns. */
export interface Half {
  heading: string
  lines: (width: number) => string[]
}

/** Two lists side by side; nothing where both are empty. */
export function sideBySide(
  left: Half,
  right: Half,
  { color, width = defaultWidth }: RenderOptions,
): string[] {
  const half = Math.floor((width - 2) / 2)
  const [a, b] = [left.lines(half - 2), right.lines(half - 2)]
  if (a.length === 0 && b.length === 0) return []
  const headings = bold(`${fitToWidth(left.heading, half)}  ${right.heading}`, color)
  const rows = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const first = a[i] ?? ''
    return `  ${first}${' '.repeat(Math.max(0, half - 2 - shownWidth(first)))}    ${b[i] ?? ''}`
  })
  return [headings, ...rows]
}

/** Columns that text with colours takes. */
export function shownWidth(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no columns
  return displayWidth(text.replace(/\x1b\[[\d;]*m/g, ''))
}
