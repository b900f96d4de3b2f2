import { formatNumber } from '../progress/rate.js'
import { type Block, type Figure, renderReportPage } from '../report/report-page.js'
import { decimals, percent } from '../terminal/figures.js'
import { between, evalFigures, lossLabels } from './eval-figures.js'
import { plotBars, plotDensities, plotDensityAgainstCosine, plotLosses } from './eval-plots.js'
import type { EvalReport } from './eval-report.js'
import type { Evaluation } from './evaluate.js'
import type { Distribution } from './histogram.js'
import { denseDensity, ultraLowDensity } from './power.js'

/** The report of one evaluation as a page of its own: report.html. */
export async function evalPage({ report, features }: Omit<Evaluation, 'documents'>): Promise<string> {
  return renderReportPage({
    title: `Evaluation of ${report.hookName}`,
    lead: leadOf(report),
    blocks: [
      ...underpoweredBlocks(report),
      { kind: 'heading', text: 'Figures' },
      figuresTable(report),
      { kind: 'heading', text: 'What the model loses' },
      lossTable(report),
      { kind: 'figures', figures: [await lossFigure(report), await l0Figure(report)] },
      { kind: 'heading', text: 'How often features fire' },
      densityTable(report),
      { kind: 'figures', figures: await densityFigures({ report, features }) },
      { kind: 'heading', text: 'How directions lie' },
      { kind: 'figures', figures: await directionFigures(report) },
    ],
  })
}

function leadOf({
  features,
  width,
  hookName,
  targetHookName,
  tokens,
  documents,
  windows,
}: EvalReport): string {
  const what = hookName === targetHookName ? 'An autoencoder' : `A transcoder to ${targetHookName}`
  return `${what} of ${formatNumber(features)} features on ${formatNumber(width)} dimensions, measured on ${formatNumber(tokens)} tokens of validation text: pieces of ${formatNumber(documents)} documents in ${formatNumber(windows)} windows. Intervals are 95% confidence intervals over documents; positions of the start of text are in no number. docs/metrics.md defines every one.`
}

const underpoweredBlocks = ({ underpowered }: EvalReport): Block[] =>
  underpowered.map(({ reason }) => ({ kind: 'warning', text: `Too small a sample: ${reason}.` }))

const figuresTable = (report: EvalReport): Block => ({
  kind: 'table',
  columns: [
    { heading: 'Measure', align: 'left' },
    { heading: 'Value' },
    { heading: '95% interval' },
    { heading: 'Meaning', align: 'left' },
  ],
  rows: evalFigures.map(({ name, label, show, meaning }) => [
    label,
    show(report[name]),
    between(report.intervals[name], show),
    meaning,
  ]),
})

function lossTable({ losses, lossIntervals }: EvalReport): Block {
  return {
    kind: 'table',
    columns: [
      { heading: 'Activation replaced by', align: 'left' },
      { heading: 'Cross-entropy, nats per token' },
      { heading: '95% interval' },
      { heading: 'Above the original' },
    ],
    rows: lossLabels.map(({ label, name }) => [
      label,
      decimals(losses[name], 4),
      between(lossIntervals[name], (value) => value.toFixed(4)),
      name === 'clean' ? '' : decimals(losses[name] - losses.clean, 4),
    ]),
  }
}

async function lossFigure(report: EvalReport): Promise<Figure> {
  return {
    html: await plotLosses(report),
    caption:
      'Next-token cross-entropy of the model with the activation replaced. The closer the reconstruction is to the original (dashed), measured by the distance to the ablations, the more of the loss is recovered.',
  }
}

async function l0Figure({ l0, l0Histogram }: EvalReport): Promise<Figure> {
  return {
    html: await plotBars(
      l0Histogram,
      { x: 'active features', y: 'tokens', description: 'histogram of active features per token' },
      { value: l0, text: `mean ${l0.toFixed(1)}` },
    ),
    caption:
      'Tokens by their number of active features. A long tail to the right: the average hides tokens that take many features.',
  }
}

function densityTable({ density }: EvalReport): Block {
  const row = (label: string, count: number | null, share: number | null, meaning: string): string[] => [
    label,
    count === null ? 'too small a sample' : formatNumber(count),
    percent(share),
    meaning,
  ]
  return {
    kind: 'table',
    columns: [
      { heading: 'Features', align: 'left' },
      { heading: 'Count' },
      { heading: 'Share' },
      { heading: 'Meaning', align: 'left' },
    ],
    rows: [
      row(
        'dead',
        density.dead,
        density.deadFraction,
        `fired on no token of the sample: with 95% confidence on fewer than ${density.deadBelow.toExponential(1)} of tokens, were they independent`,
      ),
      row(
        'dense',
        density.dense,
        density.denseFraction,
        `fired on more than ${percent(denseDensity, 0)} of tokens`,
      ),
      row(
        'ultra-low density',
        density.ultraLow,
        density.ultraLowFraction,
        `fired, on fewer than ${ultraLowDensity.toExponential()} of tokens`,
      ),
    ],
  }
}

async function densityFigures({ report, features }: Omit<Evaluation, 'documents'>): Promise<Figure[]> {
  const { density } = report
  if (density.neverFired === report.features) return []
  const histogram = {
    html: await plotDensities(density.histogram, [
      { density: denseDensity, text: 'dense' },
      { density: density.resolution, text: 'one token' },
    ]),
    caption:
      'Features by the share of tokens on which they fire, on a logarithmic axis; those that never fired are left out. Two humps are two kinds of features: the lower one is often of no use (Bricken et al. 2023). What fires right of the line is dense.',
  }
  if (features.maxCosines === null) return [histogram]
  return [
    histogram,
    {
      html: await plotDensityAgainstCosine(features, density.tokens),
      caption:
        'Features that fired, by density and by the cosine with the nearest other decoder direction; the darker a spot, the more features. A group near 1 is copies of one another; rare ones among them are a sign of a dictionary larger than the data asks for.',
    },
  ]
}

async function directionFigures({ decoder: { maxCosine, alignment } }: EvalReport): Promise<Figure[]> {
  const figure = async (found: Distribution | null, x: string, caption: string): Promise<Figure[]> => {
    if (found === null) return []
    const axes = { x, y: 'features', description: `histogram of the ${x}` }
    const mark = { value: found.median, text: `median ${found.median.toFixed(2)}` }
    return [{ html: await plotBars(found.histogram, axes, mark), caption }]
  }
  return [
    ...(await figure(
      maxCosine,
      'largest cosine with another decoder direction',
      'Each feature by the cosine with the nearest other decoder direction. Near 0: directions of their own. Near 1: the same direction twice.',
    )),
    ...(await figure(
      alignment,
      'cosine of encoder and decoder direction',
      'Each feature by the cosine of the direction that it reads with the direction that it writes. They need not agree: an encoder that must tell a feature from others like it turns away from the decoder. Around 0 or below, a feature writes something else than what makes it fire.',
    )),
  ]
}
