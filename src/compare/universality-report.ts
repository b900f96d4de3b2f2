import type { Tokenizer } from '../corpus/tokenizer.js'
import type { Interval } from '../eval/ratio-interval.js'
import { formatNumber } from '../progress/rate.js'
import { type Block, renderReportPage } from '../report/report-page.js'
import { decimals, percent } from '../terminal/figures.js'
import type { ExamplePair } from './example-texts.js'
import { renderExamplePairs } from './render-example-pairs.js'
import { between, comparisonLabels, headlines, leftOut } from './render-universality.js'
import { fewestColumns } from './similarity-summaries.js'
import { agreementFigure, densityFigure, distributionFigure } from './universality-figures.js'
import type {
  Comparison,
  Difference,
  Quartiles,
  SimilaritySummary,
  Universality,
} from './universality-file.js'

/** The HTML report of the `universality` stage. */
export async function renderUniversalityReport(
  universality: Universality,
  examples: readonly ExamplePair[],
  tokenizer: Pick<Tokenizer, 'tokenBytes' | 'tokenText'>,
): Promise<string> {
  const { a, b, text, activation, logitWeights, noLogitWeights } = universality
  const agreement = await agreementFigure(universality)
  const figures = [
    await distributionFigure(activation, 'activation similarity'),
    ...(logitWeights ? [await distributionFigure(logitWeights, 'logit-weight similarity')] : []),
  ]
  const blocks: Block[] = [
    ...warnings(universality),
    ...headlines(universality).map((line): Block => ({ kind: 'text', text: line })),
    { kind: 'heading', text: 'How alike the best partners are' },
    { kind: 'figures', figures },
    similarityTable(
      activation,
      'Activation similarity: Pearson correlation of activations over the same tokens',
    ),
    ...(logitWeights
      ? [
          similarityTable(
            logitWeights,
            'Logit-weight similarity: Pearson correlation of logit weights over the vocabulary',
          ),
        ]
      : [{ kind: 'text', text: `There is no logit-weight similarity: ${noLogitWeights}.` } as const]),
    { kind: 'text', text: reading },
    ...(logitWeights ? [{ kind: 'text', text: readingLogits } as const] : []),
    { kind: 'heading', text: 'What universality depends on' },
    { kind: 'figures', figures: [await densityFigure(universality), ...(agreement ? [agreement] : [])] },
    densityTable(universality),
    ...renderExamplePairs(examples, universality, tokenizer),
    { kind: 'heading', text: 'What was left out' },
    { kind: 'text', text: `${leftOut('A', a, text.minFires)}. ${leftOut('B', b, text.minFires)}.` },
  ]
  return renderReportPage({
    title: 'Universality',
    lead:
      `${formatNumber(a.features)} features of A (${a.hookName}) and ${formatNumber(b.features)} of B (${b.hookName}), dictionaries of two models: ` +
      `how alike is each feature of A to its best partner in B? Partners were chosen on ${formatNumber(text.choosing)} tokens of ${text.split} text and ` +
      `measured again on ${formatNumber(text.heldOut)} tokens of other documents.`,
    blocks,
  })
}

const reading =
  'Shuffled: the best of as many partners on text that does not match (or, for logit weights, with the vocabulary in another order); it is what chance reaches. ' +
  'Held out: the same pairs on documents that had no part in choosing them, with an interval over features and documents; the other intervals are over features.'

const readingLogits =
  'Logit weights have only as many degrees of freedom as the residual stream has dimensions, so that the best of many directions is similar by that alone: ' +
  'the baseline to beat for logit weights are the neurons, not the shuffled vocabulary.'

function warnings({ activation, text }: Universality): Block[] {
  const { features, neurons, shuffled } = activation
  if (features.median === null)
    return [{ kind: 'warning', text: `The sample is too small for a claim: ${features.reason}.` }]
  const found: string[] = []
  for (const [name, { below }] of Object.entries({ neurons, shuffled }))
    if (below !== null && !(below.interval !== null && below.interval[0] > 0))
      found.push(
        `The features are not clearly more universal than the baseline "${comparisonLabels[name as Comparison]}".`,
      )
  if (features.heldOut?.interval === null)
    found.push(`Only ${text.heldOutDocuments} documents were held out: too few for intervals over documents.`)
  return found.map((text) => ({ kind: 'warning', text }))
}

const order = Object.keys(comparisonLabels) as Comparison[]

function similarityTable(summaries: Record<Comparison, SimilaritySummary>, caption: string): Block {
  const heldOut = order.some((name) => summaries[name].heldOut !== null)
  const headings = ['of A', 'candidates in B', 'median (95%)', '10% to 90%', 'features above by (95%)']
  const again = ['held-out median (95%)', 'features above by (95%)']
  return {
    kind: 'table',
    caption,
    columns: [
      { heading: 'best partner', align: 'left' },
      ...[...headings, ...(heldOut ? again : [])].map((heading) => ({ heading })),
    ],
    rows: order.map((name) => rowOf(name, summaries[name], heldOut)),
  }
}

function rowOf(name: Comparison, summary: SimilaritySummary, withHeldOut: boolean): string[] {
  const { compared, candidates, median, interval, percentiles, below, heldOut } = summary
  const again =
    heldOut === null
      ? ['', '']
      : [withInterval(heldOut.median, heldOut.interval), differenceOf(heldOut.below)]
  return [
    comparisonLabels[name].replaceAll(' ', '\u00a0'),
    formatNumber(compared),
    formatNumber(candidates),
    withInterval(median, interval),
    percentiles === null ? '–' : between([percentiles[10], percentiles[90]]).replaceAll(' ', '\u00a0'),
    differenceOf(below),
    ...(withHeldOut ? again : []),
  ]
}

/** "0.71 (0.69 to 0.73)", on one line */
const withInterval = (value: number | null, interval: Interval | null): string =>
  value === null ? '–' : `${decimals(value, 2)} (${between(interval)})`.replaceAll(' ', '\u00a0')

const differenceOf = (difference: Difference | null): string =>
  difference === null ? '' : withInterval(difference.value, difference.interval)

function densityTable({ density }: Universality): Block {
  const quartiles = (found: Quartiles | null): string =>
    found === null ? '–' : withInterval(found[1], [found[0], found[2]])
  const headings = [
    'features',
    'activation similarity, median (quartiles)',
    'logit-weight similarity, median (quartiles)',
  ]
  return {
    kind: 'table',
    caption: `By density; – where there are fewer than ${fewestColumns} features`,
    columns: [{ heading: 'fires on', align: 'left' }, ...headings.map((heading) => ({ heading }))],
    rows: density.map(({ from, to, features, activation, logitWeights }) => [
      `${percent(10 ** from, 3)} to ${percent(10 ** to, 3)} of tokens`,
      formatNumber(features),
      quartiles(activation),
      quartiles(logitWeights),
    ]),
  }
}
