import { readableBytes, type Tokenizer } from '../corpus/tokenizer.js'
import { shortNumber } from '../features/shading.js'
import { fitToWidth } from '../terminal/display-width.js'
import { decimals, percent } from '../terminal/figures.js'
import { renderTable } from '../terminal/table.js'
import { renderTextColumns, wrapToWidth } from '../terminal/text-columns.js'
import type { Trial } from './find-feature.js'
import type { Influence, Interval } from './influence.js'
import type { TextJudgement } from './judge-texts.js'
import type { Mover, NextTokenChange } from './next-token.js'
import type { FeatureEdit } from './steering.js'
import type { SweepPoint } from './strength-sweep.js'

export interface RenderSteerOptions {
  color: boolean
  /** columns */
  width: number
}

/** For what shows the model's own text. */
interface Texts {
  tokenizer: Pick<Tokenizer, 'tokenBytes'>
}

const style =
  (code: string, { color }: RenderSteerOptions) =>
  (text: string): string =>
    color && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text

/** What a model wrote, for people: stray bytes by their numbers, runs of line ends as marks at the end of one line. */
export function readableText(tokens: readonly number[], tokenizer: Pick<Tokenizer, 'tokenBytes'>): string {
  return breakAtLineEnds(readableBytes(Buffer.concat(tokens.map((token) => tokenizer.tokenBytes(token)))))
}

const breakAtLineEnds = (text: string): string => text.replace(/↵+(?!$)/g, '$&\n')

/** feature 12 clamped to 16.2, 345 raised by 3 */
export function renderEdits(edits: readonly FeatureEdit[]): string {
  const texts = edits.map(({ feature, kind, value }) => {
    if (kind === 'add') return `${feature} changed by ${shortNumber(value)}`
    return value === 0 ? `${feature} ablated` : `${feature} clamped to ${shortNumber(value)}`
  })
  return `feature${edits.length > 1 ? 's' : ''} ${texts.join(', ')}`
}

/** A small probability keeps a digit: 0.031%. */
const share = (p: number): string =>
  p >= 0.001 ? percent(p) : p >= 1e-5 ? `${shortNumber(100 * p)}%` : '<0.001%'

/** The tokens whose probability changes most, both ways beside one another. */
export function renderNextToken(change: NextTokenChange, options: RenderSteerOptions): string {
  const { up, down, klDivergence } = change
  const heading = `${style('1', options)('next token')} ${style('2', options)(`KL ${klDivergence.toFixed(3)} nats`)}`
  if (up.length + down.length === 0) return heading
  const cells = (mover: Mover | undefined): string[] =>
    mover
      ? [fitToWidth(mover.text.replaceAll(' ', '␣'), 16).trimEnd(), share(mover.before), share(mover.after)]
      : ['', '', '']
  const rows = Array.from({ length: Math.max(up.length, down.length) }, (_, i) => [
    ...cells(up[i]),
    '',
    ...cells(down[i]),
  ])
  const columns = (group: string) => [
    { heading: 'token', align: 'left' as const, group },
    { heading: 'before', group },
    { heading: 'after', group },
  ]
  return `${heading}\n${renderTable([...columns('more likely'), { heading: '' }, ...columns('less likely')], rows)}`
}

/** Both continuations side by side. */
export function renderSideBySide(
  texts: { unsteered: string; steered: string },
  options: RenderSteerOptions,
): string {
  const columns = [
    { heading: 'without steering', text: texts.unsteered },
    { heading: 'steered', text: texts.steered },
  ]
  return renderTextColumns(columns, options.width, style('1', options))
}

/** Coherence and effect of a steered text, beside the same figures of the text without. */
export function renderJudgement(steered: TextJudgement, unsteered: TextJudgement): string {
  const row = (name: string, { loss, klDivergence, activity }: TextJudgement): string[] => [
    name,
    decimals(loss, 2),
    decimals(klDivergence, 2),
    percent(activity),
  ]
  const columns = [
    { heading: 'text', align: 'left' as const },
    { heading: 'loss' },
    { heading: 'KL' },
    { heading: 'feature active' },
  ]
  return renderTable(columns, [row('without steering', unsteered), row('steered', steered)])
}

/** What the columns of judgements mean. */
export const judgementLegend = (options: RenderSteerOptions): string =>
  wrapToWidth(
    'loss: of the written tokens under the unsteered model, nats a token. KL: from the steered predictions along the text to the unsteered ones. ' +
      'feature active: share of the written tokens on which a steered feature fires when the unsteered model reads them.',
    options.width,
  )
    .map(style('2', options))
    .join('\n')

/** One line for each strength, with the start of its first text. */
export function renderSweep(points: readonly SweepPoint[], options: RenderSteerOptions & Texts): string {
  const withConcept = points.some(({ concept }) => concept !== null)
  const figures = points.map(({ strength, loss, klDivergence, activity, concept }) => [
    String(strength),
    decimals(loss, 2),
    decimals(klDivergence, 2),
    percent(activity),
    ...(withConcept ? [percent(concept)] : []),
  ])
  const room = Math.max(20, options.width - (withConcept ? 55 : 44))
  const columns = [
    { heading: 'strength' },
    { heading: 'loss' },
    { heading: 'KL' },
    { heading: 'feature active' },
    ...(withConcept ? [{ heading: 'concept' }] : []),
    { heading: 'first text', align: 'left' as const },
  ]
  const example = ({ example }: SweepPoint): string =>
    fitToWidth(readableText(example.tokens, options.tokenizer).replaceAll('\n', ''), room).trimEnd()
  return renderTable(
    columns,
    points.map((point, i) => [...figures[i], example(point)]),
  )
}

const intervalText = (interval: Interval | null): string =>
  interval === null
    ? '–'
    : `${percent(interval.value)}  [${percent(interval.low)}, ${percent(interval.high)}]`

/** The shares with their intervals, and some of the texts. */
export function renderInfluence(influence: Influence, options: RenderSteerOptions & Texts): string {
  const { concept, texts, examples } = influence
  const rows = [
    ['without steering', intervalText(influence.unsteered), percent(influence.unsteeredTexts, 0)],
    ['steered', intervalText(influence.steered), percent(influence.steeredTexts, 0)],
    ['difference', intervalText(influence.difference), ''],
  ]
  const columns = [
    { heading: `${texts} continuations each`, align: 'left' as const },
    { heading: `${concept}, share of characters [95%]` },
    { heading: 'texts with any' },
  ]
  const shown = examples.map(({ prompt, unsteered, steered }) => {
    const both = {
      unsteered: readableText(unsteered.tokens, options.tokenizer),
      steered: readableText(steered.tokens, options.tokenizer),
    }
    return `${style('1', options)(JSON.stringify(prompt))}\n${renderSideBySide(both, options)}`
  })
  return [renderTable(columns, rows), ...shown].join('\n\n')
}

const shownTrials = 8

/** The features that were tried, the best first. */
export function renderTrials(trials: readonly Trial[], concept: string): string {
  const rows = trials.slice(0, shownTrials).map(({ feature, share }) => [String(feature), percent(share)])
  const columns = [{ heading: 'feature' }, { heading: `${concept}, share of characters` }]
  return `tried ${trials.length} features, the best of them:\n${renderTable(columns, rows)}`
}
