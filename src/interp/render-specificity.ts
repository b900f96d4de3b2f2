import { shortNumber } from '../features/shading.js'
import { formatNumber } from '../progress/rate.js'
import { renderBars } from '../terminal/bars.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { ActivationInterval } from './concept-histogram.js'
import type { FeatureSpecificity } from './measure-specificity.js'

/** One feature against one concept: a plot of its activations split by the concept, and a table by level. */
export function renderSpecificity(result: FeatureSpecificity, color = false): string {
  const { feature, concept, description, tokens, positives, reason } = result
  const share = `${formatNumber(positives)} of ${formatNumber(tokens)} tokens of ${result.splits.join(' and ')} text`
  const title = [`feature ${feature} and ${concept}: ${description}`, `the concept holds on ${share}`]
  if (result.fires === 0) return [...title, `not measured: ${reason}`].join('\n')
  const notes = reason === null ? [] : [`no precision or recall to speak of: ${reason}`]
  return [[...title, ...notes].join('\n'), plot(result, color), table(result)].join('\n\n')
}

/** What the columns of `renderSpecificity` mean. */
export const specificityLegend = [
  'Share: how many of the tokens with such an activation the concept holds on. Log LR: log of how much likelier',
  'such an activation is where the concept holds than elsewhere (nats; half a token is added to each count).',
  'Precision, recall: of taking every token above the interval\u2019s lower end for the concept.',
].join('\n')

/** Two sets of bars over one axis and on one scale. */
function plot({ columns, max, fires }: FeatureSpecificity, color: boolean): string {
  const { holds, others } = columns
  const full = Math.max(1, ...holds, ...others)
  const total = holds.reduce((sum, n) => sum + n, 0)
  const end = shortNumber(max)
  const section = (name: string, counts: readonly number[], sum: number, code: string): string[] => [
    `${paint(name, '1', color)} (${formatNumber(sum)} active tokens)`,
    ...renderBars(counts, 4, full).map((line) => `  ${paint(line, code, color)}`),
    `  ${'▔'.repeat(counts.length)}`,
  ]
  return [
    'activations, counts on a log scale:',
    ...section('the concept holds', holds, total, '38;5;208'),
    ...section('it does not', others, fires - total, '38;5;245'),
    `  0${' '.repeat(Math.max(1, holds.length - 1 - end.length))}${end}`,
  ].join('\n')
}

const paint = (text: string, code: string, color: boolean): string =>
  color && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text

function table({ intervals, correlation }: FeatureSpecificity): string {
  const columns: Column[] = [
    { heading: 'activation', align: 'left' },
    ...['tokens', 'share', 'log LR'].map((heading) => ({ heading, group: 'in the interval' })),
    ...['tokens', 'precision', 'recall', 'log LR'].map((heading) => ({
      heading,
      group: 'above its lower end',
    })),
  ]
  const rows = [...intervals].reverse().map(cellsOf)
  return `${renderTable(columns, rows)}\ncorrelation of the activation with "the concept holds": ${decimals(correlation, 3)}`
}

function cellsOf({ low, high, within, above }: ActivationInterval): string[] {
  return [
    above === null ? 'not active' : `${shortNumber(low)} to ${shortNumber(high)}`,
    formatNumber(within.tokens),
    percent(within.precision),
    decimals(within.logLikelihoodRatio, 1),
    ...(above === null
      ? []
      : [
          formatNumber(above.tokens),
          percent(above.precision),
          percent(above.recall),
          decimals(above.logLikelihoodRatio, 1),
        ]),
  ]
}
