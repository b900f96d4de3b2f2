import { formatNumber } from '../progress/rate.js'
import { type Block, type Figure, renderReportPage } from '../report/report-page.js'
import { decimals, percent } from '../terminal/figures.js'
import type { EvalComparison, FrontierFigure } from './eval-comparison.js'
import { evalFigures } from './eval-figures.js'
import { plotDensityOutlines, plotFrontier } from './eval-plots.js'
import type { EvalReport } from './eval-report.js'

/** Several evaluations side by side as a page of its own: report.html. */
export async function comparisonPage(comparison: EvalComparison): Promise<string> {
  const { hookName, evaluations, warnings } = comparison
  return renderReportPage({
    title: `${evaluations.length} autoencoders at ${hookName}`,
    lead: `${evaluations.map(({ name }) => name).join(', ')}: one model and one hook point, side by side. Values in brackets are 95% confidence intervals over documents; docs/metrics.md defines every number.`,
    blocks: [
      ...warnings.map((text): Block => ({ kind: 'warning', text })),
      { kind: 'heading', text: 'The frontier' },
      { kind: 'text', text: frontierText(comparison) },
      { kind: 'figures', figures: await frontierFigures(comparison) },
      { kind: 'heading', text: 'Figures' },
      comparisonTable(comparison),
      ...underpoweredBlocks(comparison),
      { kind: 'heading', text: 'How often features fire' },
      { kind: 'figures', figures: [await densityFigure(comparison)] },
    ],
  })
}

const figureLabels: Record<FrontierFigure, string> = {
  lossRecovered: 'loss recovered, zero ablation',
  explainedVariance: 'explained variance',
}

function frontierText({ frontiers }: EvalComparison): string {
  const sentence = (figure: FrontierFigure): string =>
    `On ${figureLabels[figure]}: ${frontiers[figure].join(', ') || 'none'}.`
  return `No other autoencoder has both a smaller L0 and a larger figure than these. ${sentence('lossRecovered')} ${sentence('explainedVariance')} Where intervals overlap, the sample does not tell two apart.`
}

async function frontierFigures({ evaluations }: EvalComparison): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const name of ['lossRecovered', 'explainedVariance'] as const) {
    const points = evaluations.flatMap((one) => {
      const { l0, intervals, [name]: value } = one.report
      if (value === null) return []
      return [{ name: one.name, l0, l0Interval: intervals.l0, value, interval: intervals[name] }]
    })
    if (points.length > 0)
      figures.push({
        html: await plotFrontier(points, figureLabels[name]),
        caption: `Up and to the left is better: more ${name === 'lossRecovered' ? 'of the loss' : 'of the variance'} from fewer active features. Crosses are 95% intervals; the dashed line joins those that no other beats in both.`,
      })
  }
  return figures
}

function comparisonTable({ evaluations }: EvalComparison): Block {
  const row = (label: string, show: (report: EvalReport) => string): string[] => [
    label,
    ...evaluations.map(({ report }) => show(report)),
  ]
  return {
    kind: 'table',
    columns: [{ heading: 'Measure', align: 'left' }, ...evaluations.map(({ name }) => ({ heading: name }))],
    rows: [
      row('features', ({ features }) => formatNumber(features)),
      ...evalFigures.map(({ name, label, show }) =>
        row(label, (report) => {
          const interval = report.intervals[name]
          return interval === null
            ? show(report[name])
            : `${show(report[name])} (${show(interval[0])} to ${show(interval[1])})`
        }),
      ),
      row('loss, reconstruction', ({ losses }) => decimals(losses.spliced, 4)),
      row('loss, original', ({ losses }) => decimals(losses.clean, 4)),
      row('dead features', ({ density }) => percent(density.deadFraction)),
      row('dense features', ({ density }) => percent(density.denseFraction)),
      row('ultra-low density features', ({ density }) => percent(density.ultraLowFraction)),
      row('median largest decoder cosine', ({ decoder }) => decimals(decoder.maxCosine?.median, 2)),
      row('median cosine, encoder and decoder', ({ decoder }) => decimals(decoder.alignment?.median, 2)),
      row('tokens measured', ({ tokens }) => formatNumber(tokens)),
      row('documents', ({ documents }) => formatNumber(documents)),
    ],
  }
}

const underpoweredBlocks = ({ evaluations }: EvalComparison): Block[] =>
  evaluations
    .filter(({ report }) => report.underpowered.length > 0)
    .map(({ name, report }) => ({
      kind: 'warning',
      text: `${name}: too small a sample: ${report.underpowered.map(({ reason }) => reason).join('; ')}.`,
    }))

async function densityFigure({ evaluations }: EvalComparison): Promise<Figure> {
  return {
    html: await plotDensityOutlines(
      evaluations.map(({ name, report }) => ({ name, histogram: report.density.histogram })),
    ),
    caption:
      'Features by the share of tokens on which they fire, on a logarithmic axis, as shares of the features that fired. A curve further to the left belongs to a dictionary of rarer features.',
  }
}
