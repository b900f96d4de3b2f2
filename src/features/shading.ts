import { cutToWidth, displayWidth } from '../terminal/display-width.js'
import type { Segment } from './segments.js'

/** How activations are made visible. */
export interface ShadingOptions {
  /**
   * true: tokens on a background from pale to strong orange (256-colour palette); false: tokens of at least a
   * fifth of the maximum as «token|0.8»
   */
  color: boolean
  /** the activation of the strongest colour: the feature's maximum */
  max: number
  /** indices of tokens to underline with colours, in place of the token that the example is about */
  underlined?: ReadonlySet<number>
}

/** How a segment stands out, whatever its activation. */
export interface Emphasis {
  bold?: boolean
  underline?: boolean
}

/** Backgrounds of the 256-colour palette, all readable with black letters. */
const backgrounds = [230, 223, 222, 215, 208, 202]

/** One segment, shaded by its activation. */
export function shade(
  text: string,
  activation: number,
  options: ShadingOptions,
  { bold = false, underline = false }: Emphasis = {},
): string {
  if (text === '') return ''
  if (!options.color) return isMarked(activation, options) ? `«${text}|${shortNumber(activation)}»` : text
  const style = `${bold ? '1;' : ''}${underline ? '4;' : ''}`
  if (activation <= 0) return style === '' ? text : `\x1b[${style.slice(0, -1)}m${text}\x1b[0m`
  const step = Math.min(
    backgrounds.length - 1,
    Math.floor((activation / Math.max(options.max, activation)) * backgrounds.length),
  )
  return `\x1b[${style}38;5;16;48;5;${backgrounds[step]}m${text}\x1b[0m`
}

/** Two significant digits, without exponent where that is short: 0.83, 7.3, 12, 0.0041. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(2)))
}

/** Without colours only what stands out is marked, or the text could not be read. */
const isMarked = (activation: number, { max }: ShadingOptions): boolean =>
  activation > 0 && activation >= 0.2 * max

/** Columns that a shaded segment takes. */
function shadedWidth(segment: Segment, options: ShadingOptions): number {
  const marked = !options.color && isMarked(segment.activation, options)
  const marks = marked ? 3 + shortNumber(segment.activation).length : 0
  return displayWidth(segment.text) + marks
}

/**
 * One example on one line of `left` + `right` columns: what stands before the focus is pushed to the right,
 * so that the focus of every line starts in the same column. What does not fit is cut off and an ellipsis
 * stands for it.
 * @param focus index of the token that the example is about
 */
export function shadeInContext(
  segments: readonly Segment[],
  focus: number,
  widths: { left: number; right: number },
  options: ShadingOptions,
): string {
  const at = segments.findIndex(({ first, end }) => focus >= first && focus < end)
  const before = fitSegments(segments.slice(0, at).reverse(), widths.left, 'end', options).reverse()
  const after = fitSegments(segments.slice(at), widths.right, 'start', options)
  const used = before.reduce((sum, segment) => sum + shadedWidth(segment, options), 0)
  const show = (segment: Segment): string =>
    shade(segment.text, segment.activation, options, emphasisOf(segment, focus, options))
  return ' '.repeat(Math.max(0, widths.left - used)) + [...before, ...after].map(show).join('')
}

/** The focus is underlined, or where other tokens are, bold. */
function emphasisOf({ first, end }: Segment, focus: number, { underlined }: ShadingOptions): Emphasis {
  const focused = focus >= first && focus < end
  if (underlined === undefined) return { bold: focused, underline: focused }
  let underline = false
  for (let token = first; token < end; token++) underline ||= underlined.has(token)
  return { bold: focused, underline }
}

/** As many segments as fit; where some do not, the last shown is cut and an ellipsis put there. */
function fitSegments(
  segments: readonly Segment[],
  width: number,
  keep: 'start' | 'end',
  options: ShadingOptions,
): Segment[] {
  const kept: Segment[] = []
  let left = width
  for (const [i, segment] of segments.entries()) {
    const needed = shadedWidth(segment, options)
    // The last segment may use the column that an ellipsis would need.
    const room = i === segments.length - 1 ? left : left - 1
    if (needed <= room) {
      kept.push(segment)
      left -= needed
      continue
    }
    const marks = needed - displayWidth(segment.text)
    const text = cutToWidth(segment.text, left - 1 - marks, keep)
    const cut = { ...segment, text: keep === 'start' ? `${text}…` : `…${text}` }
    if (text !== '') kept.push(cut)
    else if (left > 0) kept.push({ ...segment, text: '…', activation: 0, first: -1, end: -1 })
    break
  }
  return kept
}
