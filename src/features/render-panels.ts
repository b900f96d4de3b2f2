import { renderBars } from '../terminal/bars.js'
import { fitToWidth } from '../terminal/display-width.js'
import type { FeatureDetail, LogitWeight } from './feature-detail.js'
import {
  bar,
  barWidth,
  bold,
  dim,
  type RenderOptions,
  sideBySide,
  signed,
  visibleToken,
  wholeNumber,
} from './render-parts.js'
import { shortNumber } from './shading.js'

/** Rows of a panel that a terminal shows; the JSON has all. */
const shownRows = 10

/** Tokens that the feature fires on, and features that it fires together with. */
export function firingPanel(detail: FeatureDetail, options: RenderOptions): string[] {
  const tokens = detail.tokens.slice(0, shownRows)
  const others = detail.coActive.slice(0, shownRows)
  const largest = tokens[0]?.activationSum ?? 0
  const left = (width: number): string[] =>
    tokens.map(({ token, active, occurrences, activationSum, lift }) => {
      const name = fitToWidth(visibleToken(token, options), width - 26 - barWidth)
      const share = `${percent(active / occurrences)} of ${wholeNumber(occurrences)}`
      return `${name} ${share.padStart(15)} ${`×${shortNumber(lift)}`.padStart(7)}  ${bar(activationSum, largest, options.color)}`
    })
  const right = (): string[] =>
    others.map(
      ({ feature, count, jaccard, pearson }) =>
        `${String(feature).padStart(7)} ${wholeNumber(count).padStart(9)} ${jaccard.toFixed(2).padStart(9)} ${pearson.toFixed(2).padStart(9)}`,
    )
  const headings = {
    left: detail.singleToken
      ? 'fires on one token (share of it, lift)'
      : 'fires on (share of the token, lift)',
    right: others.length > 0 ? 'fires with    tokens   Jaccard   Pearson' : '',
  }
  return sideBySide(
    { heading: tokens.length > 0 ? headings.left : '', lines: left },
    { heading: headings.right, lines: right },
    options,
  )
}

/** Neurons that the decoder row writes to, and neurons that go with the feature over the text. */
export function neuronPanel(detail: FeatureDetail, options: RenderOptions): string[] {
  const aligned = detail.alignedNeurons.slice(0, shownRows)
  const correlated = detail.correlatedNeurons.slice(0, shownRows)
  const left = (): string[] =>
    aligned.map(
      ({ neuron, value, l1 }) =>
        `${String(neuron).padStart(7)} ${signed(value).padStart(9)} ${percent(l1).padStart(9)}`,
    )
  const right = (): string[] =>
    correlated.map(
      ({ neuron, pearson, cosine }) =>
        `${String(neuron).padStart(7)} ${signed(pearson).padStart(9)} ${signed(cosine).padStart(9)}`,
    )
  return sideBySide(
    { heading: aligned.length > 0 ? 'writes to    weight  of its L1' : '', lines: left },
    { heading: correlated.length > 0 ? 'goes with   Pearson    cosine' : '', lines: right },
    options,
  )
}

/** Output tokens whose logits the feature raises and lowers. */
export function logitPanel({ topLogits, bottomLogits }: FeatureDetail, options: RenderOptions): string[] {
  const largest = Math.max(...[...topLogits, ...bottomLogits].map(({ weight }) => Math.abs(weight)), 1e-12)
  const cells =
    (logits: LogitWeight[]) =>
    (width: number): string[] =>
      logits.map(({ token, weight }) => {
        const name = fitToWidth(visibleToken(token, options), width - 10 - barWidth)
        return `${name} ${signed(weight).padStart(7)}  ${bar(weight, largest, options.color)}`
      })
  return sideBySide(
    { heading: 'raises the logits of', lines: cells(topLogits) },
    { heading: 'lowers the logits of', lines: cells(bottomLogits) },
    options,
  )
}

/** How the logit weights are distributed over the vocabulary. */
export function logitHistogramPanel(detail: FeatureDetail, { color }: RenderOptions): string[] {
  const { logitHistogram, logitStatistics } = detail
  if (logitHistogram === null || logitStatistics === null) return []
  const { standardDeviation, skewness, kurtosis } = logitStatistics
  const moments = [
    `standard deviation ${shortNumber(standardDeviation)}`,
    `skewness ${signed(skewness)}`,
    `kurtosis ${shortNumber(kurtosis)}`,
  ]
  const { low, high, counts } = logitHistogram
  return [
    `${bold('logit weights of all tokens', color)} ${dim(`(logarithmic counts; ${moments.join(', ')})`, color)}`,
    ...barsWithAxis(counts, signed(low), signed(high), color),
  ]
}

/** How large the activations are. */
export function activationPanel(
  { histogram, max, fires, quantiles }: FeatureDetail,
  color: boolean,
): string[] {
  if (fires === 0) return []
  const { counts, range } = histogram
  const used = counts.slice(0, Math.max(1, Math.ceil((max / range) * counts.length)))
  const shares = quantiles.map(
    ({ probability, activation }) =>
      `${Number((100 * probability).toPrecision(4))}% ≤ ${shortNumber(activation)}`,
  )
  const note = ['logarithmic counts', ...(shares.length > 0 ? [shares.join(' · ')] : [])].join('; ')
  return [
    `${bold('activations', color)} ${dim(`(${note})`, color)}`,
    ...barsWithAxis(used, '0', shortNumber(max), color),
  ]
}

function barsWithAxis(counts: number[], first: string, last: string, color: boolean): string[] {
  const gap = ' '.repeat(Math.max(1, counts.length - first.length - last.length))
  return [
    ...renderBars(counts, 4).map((line) => `  ${line}`),
    `  ${dim('▔'.repeat(counts.length), color)}`,
    `  ${dim(`${first}${gap}${last}`, color)}`,
  ]
}

const percent = (share: number): string => `${shortNumber(100 * share)}%`
