import { displayWidth, fitToWidth } from '../terminal/display-width.js'
import type { FeatureDetail, FeatureExample, FeatureRow } from './feature-detail.js'
import {
  changedTokens,
  effectOf,
  effectText,
  explanationPanel,
  type FeatureFindings,
  neighbourPanel,
} from './render-findings.js'
import {
  activationPanel,
  firingPanel,
  logitHistogramPanel,
  logitPanel,
  neuronPanel,
} from './render-panels.js'
import {
  bold,
  defaultWidth,
  dim,
  type RenderOptions,
  shownWidth,
  signed,
  visibleToken,
  wholeNumber,
} from './render-parts.js'
import { segmentsOf } from './segments.js'
import { type ShadingOptions, shadeInContext, shortNumber } from './shading.js'

export type { FeatureFindings } from './render-findings.js'
export type { RenderOptions } from './render-parts.js'

/** How many examples of each group are shown. */
export interface ExampleLimits {
  top: number
  perInterval: number
}

/** What is known of a feature besides its store, and how examples are shown. */
interface Shown extends RenderOptions {
  findings: FeatureFindings
}

/** 0.42%, 0.0031%, and "1 in 238" beside it. */
function densityText(density: number): string {
  return density === 0 ? '0%' : `${shortNumber(100 * density)}%`
}

/**
 * Everything about one feature: figures, activation histogram, the tokens and features that it fires with,
 * logit weights, neurons, and examples with their tokens shaded by activation, the token that each is about
 * in one column. Findings of other stages join where they belong: explanations at the top, the nearest
 * features after those that it fires with, effects beside the examples.
 */
export function renderFeature(
  detail: FeatureDetail,
  renderOptions: RenderOptions,
  limits: ExampleLimits = { top: 20, perInterval: 5 },
  findings: FeatureFindings = {},
): string {
  const options: Shown = { ...renderOptions, findings }
  const { color, width = defaultWidth } = options
  const title = `feature ${detail.feature}`
  const place = options.hookName ?? ''
  const gap = ' '.repeat(Math.max(2, width - displayWidth(title) - displayWidth(place)))
  const sections = [
    [
      place ? `${bold(title, color)}${gap}${dim(place, color)}` : bold(title, color),
      ...explanationPanel(findings, options),
      figures(detail),
      ...effectText(findings, options),
    ],
    activationPanel(detail, color),
    firingPanel(detail, options),
    neighbourPanel(findings, options),
    logitPanel(detail, options),
    ...(limits.perInterval > 0 ? [logitHistogramPanel(detail, options), neuronPanel(detail, options)] : []),
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

function intervalSections(detail: FeatureDetail, options: Shown, limits: ExampleLimits): string[][] {
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
  options: Shown,
): string[] {
  if (examples.length === 0) return []
  const { color, width = defaultWidth, findings } = options
  const effects = examples.map((example) => effectOf(findings, example))
  const measured = effects.some((effect) => effect !== undefined)
  const sources = examples.map(({ document, position }) => `${document}:${position}`)
  const sourceWidth = Math.max(...sources.map((source) => source.length))
  const text = width - 9 - (measured ? 8 : 0) - 2 - sourceWidth
  const right = Math.floor(text * 0.4)
  const lines = examples.map((example, i) => {
    const effect = effects[i]
    const underlined = effect && changedTokens(effect)
    const shaded = contextLine(example, { left: text - right, right }, { ...options, max, underlined })
    const total = measured ? `${(effect ? signed(effect.total) : '').padStart(6)}  ` : ''
    return `${shortNumber(example.activation).padStart(7)}  ${total}${shaded}  ${dim(sources[i].padStart(sourceWidth), color)}`
  })
  const heading = `${bold(title, color)} ${dim(`(${columnNames(measured)})`, color)}`
  return [heading, ...lines]
}

/** What the columns of examples are. */
const columnNames = (measured: boolean): string =>
  `activation, ${measured ? 'effect, ' : ''}text, document:position`

/** An example in exactly left + right columns. */
function contextLine(
  example: FeatureExample,
  widths: { left: number; right: number },
  { tokenizer, ...options }: ShadingOptions & Pick<RenderOptions, 'tokenizer'>,
): string {
  const segments = segmentsOf(example.tokens, example.activations, tokenizer)
  const shaded = shadeInContext(segments, example.tokenIndex, widths, options)
  return shaded + ' '.repeat(Math.max(0, widths.left + widths.right - shownWidth(shaded)))
}

/**
 * A list of features, one a line: figures, the output tokens that each raises most, and its strongest
 * example.
 * @param names explanations, where there are any: they take the place of the output tokens
 */
export function renderFeatureList(
  rows: readonly FeatureRow[],
  options: RenderOptions,
  names: ReadonlyMap<number, string> = new Map(),
): string {
  const { color, width = defaultWidth } = options
  const named = rows.some(({ feature }) => names.has(feature))
  const idWidth = Math.max(7, ...rows.map(({ feature }) => String(feature).length))
  const aboutWidth = named ? 28 : rows.some(({ topTokens }) => topTokens.length > 0) ? 24 : 0
  const text = width - idWidth - 3 * 10 - (aboutWidth + 2) - 2
  const right = Math.floor(text * 0.4)
  const figureCells = (cells: readonly string[]): string =>
    cells.map((cell, i) => cell.padStart(i === 0 ? idWidth : 10)).join('')
  const heading = figureCells(['feature', 'density', 'max', 'mean'])
  const lines = rows.map((row) => {
    const mean = row.mean === null ? '–' : shortNumber(row.mean)
    const cells = [String(row.feature), densityText(row.density), shortNumber(row.max), mean]
    const tokens = row.topTokens.slice(0, 4).map((token) => visibleToken(token, options))
    const example = row.topExample
      ? contextLine(row.topExample, { left: text - right, right }, { ...options, max: row.max })
      : dim('never fired', color)
    const raised = `${named && tokens.length > 0 ? 'raises ' : ''}${tokens.join(' ')}`
    const about = fitToWidth(names.get(row.feature) ?? raised, aboutWidth)
    return `${figureCells(cells)}  ${about}  ${example}`.trimEnd()
  })
  const about = named ? 'explanation' : aboutWidth > 0 ? 'raises' : ''
  const columns = `${heading}  ${fitToWidth(about, aboutWidth)}  strongest example`
  return [bold(columns, color), ...lines].join('\n')
}
