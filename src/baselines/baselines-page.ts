import { formatNumber } from '../progress/rate.js'
import { plot } from '../report/plot.js'
import { type Block, type Figure, renderReportPage } from '../report/report-page.js'
import { decimals, percent } from '../terminal/figures.js'
import { baselineKinds } from './baseline-kinds.js'
import type { BaselinesReport } from './baselines-report.js'
import { dictionaryRows } from './render-baselines.js'
import type { Headline } from './verdict.js'
import { conclusion, headlineLabels, showHeadline, verdictWords } from './verdict-words.js'

/** report.html: every headline of the dictionary beside its baselines, and what to conclude. */
export async function baselinesPage(report: BaselinesReport): Promise<string> {
  const { dictionary, hookName, baselines, beatsAll } = report
  const { tokens, documents, features, l0 } = dictionary.report
  return renderReportPage({
    title: 'Sanity baselines',
    lead:
      `${formatNumber(features)} features at ${hookName} with an L0 of ${l0.toFixed(1)}, beside dictionaries that know less. ` +
      `Measured on ${formatNumber(tokens)} tokens of ${formatNumber(documents)} validation documents; intervals are 95%, over documents.`,
    blocks: [
      { kind: beatsAll ? 'text' : 'warning', text: conclusion(report) },
      { kind: 'figures', figures: await headlineFigures(report) },
      figuresTable(report),
      { kind: 'heading', text: 'Verdicts' },
      {
        kind: 'text',
        text:
          'The difference is the dictionary’s figure less the baseline’s, document by document, so that text which is hard for both counts for neither. ' +
          'A win is an interval above 0 at an L0 that is no more than a tenth larger.',
      },
      verdictTable(report),
      { kind: 'heading', text: 'What each baseline is' },
      meaningTable(report),
      ...(baselines.some(({ ownModel }) => !ownModel) ? [otherModels] : []),
    ],
  })
}

const otherModels: Block = {
  kind: 'text',
  text:
    'Dictionaries of random models explain the activations of their own model, and their loss recovered is against that model’s loss, which is that of ' +
    'guessing: where ablation adds nothing to it, there is nothing to recover and no figure. Their KL compares with nothing. A high explained variance there says that ' +
    'activations of this architecture on this text are easy to reconstruct, whatever the model learned; it is what the dictionary’s own has to be read against.',
}

const headlineOrder: readonly Headline[] = ['explainedVariance', 'lossRecovered', 'lossRecoveredMean', 'kl']

async function headlineFigures(report: BaselinesReport): Promise<Figure[]> {
  const figures = headlineOrder.map((headline) => headlineFigure(report, headline))
  return (await Promise.all(figures)).filter((figure) => figure !== null)
}

interface Dot {
  label: string
  value: number
  low: number
  high: number
  whose: 'dictionary' | 'baseline'
}

/** Dots with intervals, one row for each dictionary that has the figure. */
async function headlineFigure(report: BaselinesReport, headline: Headline): Promise<Figure | null> {
  const own = report.sameBudget ? 2 : 1
  const comparable = (i: number): boolean =>
    headline !== 'kl' || i < own || report.baselines[i - own].ownModel
  const unit = headline === 'kl' ? 1 : 100
  const dots = dictionaryRows(report).flatMap(({ label, figures }, i): Dot[] => {
    const value = figures.report[headline]
    if (value === null || !comparable(i)) return []
    const [low, high] = figures.report.intervals[headline] ?? [value, value]
    const whose = i < own ? 'dictionary' : 'baseline'
    return [{ label, value: unit * value, low: unit * low, high: unit * high, whose }]
  })
  if (dots.length === 0) return null
  const label = headlineLabels[headline]
  const axis = headline === 'kl' ? 'nats per token' : '%'
  const html = await plot(
    (Plot) => ({
      ariaLabel: `${label}: ${dots.map((dot) => `${dot.label} ${dot.value.toFixed(2)}`).join(', ')}`,
      height: 75 + 30 * dots.length,
      marginBottom: 45,
      marginLeft: 190,
      marginRight: 50,
      x: { label: `${label}, ${axis}`, grid: true, nice: true, labelOffset: 38 },
      y: { label: null, domain: dots.map((dot) => dot.label) },
      color: { domain: ['dictionary', 'baseline'] },
      marks: [
        Plot.ruleX([dots[0].value], { stroke: 'currentColor', strokeOpacity: 0.4, strokeDasharray: '3 3' }),
        Plot.ruleY(dots, { y: 'label', x1: 'low', x2: 'high', stroke: 'whose', strokeWidth: 2 }),
        Plot.dot(dots, { y: 'label', x: 'value', fill: 'whose', r: 5 }),
        Plot.text(dots, {
          ...{ y: 'label', x: 'high', dx: 8, textAnchor: 'start', fill: 'currentColor' },
          text: ({ value }: Dot) => value.toFixed(headline === 'kl' ? 3 : 1),
        }),
      ],
    }),
    560,
  )
  const better = headline === 'kl' ? 'smaller' : 'larger'
  return { html, caption: `${capital(label)}: ${better} is better. The broken line is the dictionary.` }
}

const capital = (text: string): string => text[0].toUpperCase() + text.slice(1)

function figuresTable(report: BaselinesReport): Block {
  const rows = dictionaryRows(report).map(({ label, figures: { report: found, trainTokens } }) => [
    label,
    formatNumber(found.features),
    trainTokens === null ? '–' : formatNumber(trainTokens),
    decimals(found.l0, 1),
    ...headlineOrder.map((headline) => showHeadline(headline, found[headline])),
    percent(found.deadFraction),
    percent(found.density.denseFraction),
  ])
  return {
    kind: 'table',
    caption: 'All figures; a dash is a number that the sample does not define or is too small for.',
    columns: [
      { heading: 'dictionary', align: 'left' },
      { heading: 'features' },
      { heading: 'tokens trained on' },
      { heading: 'L0' },
      ...headlineOrder.map((headline) => ({ heading: headlineLabels[headline] })),
      { heading: 'dead' },
      { heading: 'dense' },
    ],
    rows,
  }
}

function verdictTable({ baselines }: BaselinesReport): Block {
  return {
    kind: 'table',
    columns: [
      { heading: 'baseline', align: 'left' },
      { heading: 'headline', align: 'left' },
      { heading: 'the dictionary …', align: 'left' },
    ],
    rows: baselines.flatMap((baseline) =>
      baseline.verdicts.map((verdict) => [
        baseline.label + (baseline.against === 'same budget' ? ' (same budget)' : ''),
        headlineLabels[verdict.headline],
        verdictWords(verdict, baseline),
      ]),
    ),
  }
}

function meaningTable({ baselines }: BaselinesReport): Block {
  return {
    kind: 'table',
    columns: [
      { heading: 'baseline', align: 'left' },
      { heading: 'what it is', align: 'left' },
    ],
    rows: baselines.map(({ name, label }) => [label, baselineKinds[name].meaning]),
  }
}
