import type { Tokenizer } from '../corpus/tokenizer.js'
import { renderBars } from '../terminal/bars.js'
import { displayWidth, fitToWidth } from '../terminal/display-width.js'
import type { FeatureDetail, FeatureExample, FeatureRow, LogitWeight } from './feature-store.js'
import { segmentsOf } from './segments.js'
import { shadeInContext, shortNumber } from './shading.js'

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

/** How many examples of each group are shown. */
export interface ExampleLimits {
  top: number
  perInterval: number
}

const defaultWidth = 100

/** 0.42%, 0.0031%, and "1 in 238" beside it. */
function densityText(density: number): string {
  return density === 0 ? '0%' : `${shortNumber(100 * density)}%`
}

const wholeNumber = (value: number): string => Math.round(value).toLocaleString('en-US')

function style(text: string, code: string, color: boolean): string {
  return color && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text
}

const bold = (text: string, color: boolean): string => style(text, '1', color)
const dim = (text: string, color: boolean): string => style(text, '2', color)

/** A token on one line for people: blanks visible, because they belong to the token. */
function visibleToken(token: number, { tokenizer }: RenderOptions): string {
  return tokenizer.tokenText(token).replaceAll(' ', '␣')
}

/**
 * Everything about one feature: figures, activation histogram, logit weights in two columns, and examples
 * with their tokens shaded by activation, the token that each is about in one column.
 */
export function renderFeature(
  detail: FeatureDetail,
  options: RenderOptions,
  limits: ExampleLimits = { top: 20, perInterval: 5 },
): string {
  const { color, width = defaultWidth } = options
  const title = `feature ${detail.feature}`
  const place = options.hookName ?? ''
  const gap = ' '.repeat(Math.max(2, width - displayWidth(title) - displayWidth(place)))
  const sections = [
    [place ? `${bold(title, color)}${gap}${dim(place, color)}` : bold(title, color), figures(detail)],
    histogram(detail, options),
    logits(detail, options),
    examplesSection('top examples', detail.top.slice(0, limits.top), detail.max, options),
    ...intervalSections(detail, options, limits),
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((line) => line.trimEnd()).join('\n'))
    .join('\n\n')
}

function figures({ density, fires, max, mean }: FeatureDetail): string {
  if (fires === 0) return 'never fired on the sample'
  const often = `fires on ${densityText(density)} of tokens (1 in ${wholeNumber(1 / density)}; ${wholeNumber(fires)} in all)`
  return [often, `max ${shortNumber(max)}`, `mean ${shortNumber(mean ?? 0)} when active`].join(' · ')
}

function histogram({ histogram, max, fires }: FeatureDetail, { color }: RenderOptions): string[] {
  if (fires === 0) return []
  const { counts, range } = histogram
  const used = counts.slice(0, Math.max(1, Math.ceil((max / range) * counts.length)))
  const end = shortNumber(max)
  const axis = `0${' '.repeat(Math.max(1, used.length - 1 - end.length))}${end}`
  return [
    `${bold('activations', color)} ${dim('(logarithmic counts)', color)}`,
    ...renderBars(used, 4).map((line) => `  ${line}`),
    `  ${dim('▔'.repeat(used.length), color)}`,
    `  ${dim(axis, color)}`,
  ]
}

function logits({ topLogits, bottomLogits }: FeatureDetail, options: RenderOptions): string[] {
  if (topLogits.length === 0) return []
  const half = Math.floor(((options.width ?? defaultWidth) - 4) / 2)
  const largest = Math.max(...[...topLogits, ...bottomLogits].map(({ weight }) => Math.abs(weight)), 1e-12)
  const heading = fitToWidth('raises the logits of', half)
  const lines = [bold(`${heading}  lowers the logits of`, options.color)]
  for (let i = 0; i < Math.max(topLogits.length, bottomLogits.length); i++)
    lines.push(
      `  ${logitCell(topLogits[i], largest, half - 2, options)}  ${logitCell(bottomLogits[i], largest, half - 2, options)}`,
    )
  return lines
}

const barWidth = 10

/** A token, its weight, and a bar for it. */
function logitCell(
  logit: LogitWeight | undefined,
  largest: number,
  width: number,
  options: RenderOptions,
): string {
  if (!logit) return ' '.repeat(width)
  const weight = `${logit.weight < 0 ? '−' : '+'}${Math.abs(logit.weight).toFixed(2)}`
  const bar = '▪'.repeat(Math.round((barWidth * Math.abs(logit.weight)) / largest))
  const token = fitToWidth(visibleToken(logit.token, options), width - 20)
  return `${token} ${weight.padStart(7)}  ${dim(bar, options.color)}${' '.repeat(barWidth - bar.length)}`
}

function intervalSections(detail: FeatureDetail, options: RenderOptions, limits: ExampleLimits): string[][] {
  const groups = new Map<number, FeatureExample[]>()
  for (const example of detail.intervals) {
    const interval = example.interval ?? 0
    groups.set(interval, [...(groups.get(interval) ?? []), example])
  }
  return Array.from(groups, ([interval, examples]) =>
    examplesSection(
      intervalTitle(interval, detail.max, options),
      examples.slice(0, limits.perInterval),
      detail.max,
      options,
    ),
  )
}

function intervalTitle(interval: number, max: number, { intervals }: RenderOptions): string {
  if (intervals === undefined) return `random examples from interval ${interval}`
  const low = shortNumber((interval * max) / intervals)
  const high = shortNumber(((interval + 1) * max) / intervals)
  return `random examples with activation ${low} to ${high}`
}

function examplesSection(
  title: string,
  examples: readonly FeatureExample[],
  max: number,
  options: RenderOptions,
): string[] {
  if (examples.length === 0) return []
  const { color, width = defaultWidth } = options
  const sources = examples.map(({ document, position }) => `${document}:${position}`)
  const sourceWidth = Math.max(...sources.map((source) => source.length))
  const text = width - 9 - 2 - sourceWidth
  const right = Math.floor(text * 0.4)
  const lines = examples.map((example, i) => {
    const shaded = contextLine(example, { left: text - right, right }, max, options)
    return `${shortNumber(example.activation).padStart(7)}  ${shaded}  ${dim(sources[i].padStart(sourceWidth), color)}`
  })
  const heading = `${bold(title, color)} ${dim('(activation, text, document:position)', color)}`
  return [heading, ...lines]
}

/** An example in exactly left + right columns. */
function contextLine(
  example: FeatureExample,
  widths: { left: number; right: number },
  max: number,
  options: RenderOptions,
): string {
  const segments = segmentsOf(example.tokens, example.activations, options.tokenizer)
  const shaded = shadeInContext(segments, example.tokenIndex, widths, { color: options.color, max })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no columns
  const plain = shaded.replace(/\x1b\[[\d;]*m/g, '')
  return shaded + ' '.repeat(Math.max(0, widths.left + widths.right - displayWidth(plain)))
}

/**
 * A list of features, one a line: figures, the output tokens that each raises most, and its strongest
 * example.
 */
export function renderFeatureList(rows: readonly FeatureRow[], options: RenderOptions): string {
  const { color, width = defaultWidth } = options
  const idWidth = Math.max(7, ...rows.map(({ feature }) => String(feature).length))
  const tokensWidth = rows.some(({ topTokens }) => topTokens.length > 0) ? 24 : 0
  const text = width - idWidth - 3 * 10 - (tokensWidth + 2) - 2
  const right = Math.floor(text * 0.4)
  const figureCells = (cells: readonly string[]): string =>
    cells.map((cell, i) => cell.padStart(i === 0 ? idWidth : 10)).join('')
  const heading = figureCells(['feature', 'density', 'max', 'mean'])
  const lines = rows.map((row) => {
    const mean = row.mean === null ? '–' : shortNumber(row.mean)
    const cells = [String(row.feature), densityText(row.density), shortNumber(row.max), mean]
    const tokens = row.topTokens.slice(0, 4).map((token) => visibleToken(token, options))
    const example = row.topExample
      ? contextLine(row.topExample, { left: text - right, right }, row.max, options)
      : dim('never fired', color)
    return `${figureCells(cells)}  ${fitToWidth(tokens.join(' '), tokensWidth)}  ${example}`.trimEnd()
  })
  const columns = `${heading}  ${fitToWidth(tokensWidth > 0 ? 'raises' : '', tokensWidth)}  strongest example`
  return [bold(columns, color), ...lines].join('\n')
}
