import type { RectYOptions } from '@observablehq/plot'
import { formatNumber } from '../progress/rate.js'
import { plot } from '../report/plot.js'
import { type Figure, renderReportPage } from '../report/report-page.js'
import { decimals, percent } from '../terminal/figures.js'
import type { FeatureModel } from './feature-model.js'
import type { LatentRecovery, Recovery } from './recovery.js'
import { featureKinds, type GroupRecovery, kindOfFeature } from './recovery-groups.js'

/** One latent as the figures draw it. */
interface Dot {
  probability: number
  f1: number
  precision: number
  recall: number
  cosine: number
  kind: string
}

/** report.html of the `recovery` stage: what an autoencoder found of the true features, and which kinds of them it does badly on. */
export async function recoveryReport(
  recovery: Recovery & { groups: readonly GroupRecovery[] },
  latents: LatentRecovery,
  world: FeatureModel,
): Promise<string> {
  const count = formatNumber(latents.match.nearest.length)
  return renderReportPage({
    title: 'Recovery of known features',
    lead:
      `${count} latents of an autoencoder against the ${formatNumber(world.features)} true features of the world that its ` +
      `activations were made from, on ${formatNumber(recovery.samples)} samples that it was not trained on.`,
    blocks: [
      figuresTable(recovery),
      { kind: 'heading', text: 'Where it does well' },
      {
        kind: 'text',
        text:
          'A latent detects the true feature that its decoder direction is nearest to. Parents that miss samples (low recall) have left them to latents of their ' +
          'children: feature absorption. Low precision is a latent that fires on something else too.',
      },
      groupsTable(recovery.groups),
      { kind: 'figures', figures: await figuresOf(dotsOf(latents, world)) },
    ],
  })
}

const figuresTable = (recovery: Recovery) => ({
  kind: 'table' as const,
  columns: [
    { heading: 'measure', align: 'left' as const },
    { heading: 'value' },
    { heading: 'meaning', align: 'left' as const },
  ],
  rows: recoveryRows(recovery),
})

/** Each figure with its value and its meaning, for reports and terminals. */
export function recoveryRows(recovery: Recovery): string[][] {
  return [
    ['MCC', decimals(recovery.mcc, 3), 'mean |cosine| of latents and true features, matched one to one'],
    ['F1', decimals(recovery.f1, 3), 'of latents as detectors of their nearest true features, mean'],
    ['precision', decimals(recovery.precision, 3), 'share of the firings of a latent with its feature there'],
    ['recall', decimals(recovery.recall, 3), 'share of the samples with a feature on which its latent fires'],
    ['uniqueness', percent(recovery.uniqueness), 'different nearest features, as a share of the latents'],
    ['explained variance', percent(recovery.explainedVariance), 'of the activations'],
    [
      'L0',
      decimals(recovery.l0, 1),
      `latents active on a sample; true features: ${decimals(recovery.trueL0, 1)}`,
    ],
    ['dead latents', percent(recovery.deadFraction), 'never active on the held-out samples'],
    ['shrinkage', decimals(recovery.shrinkage, 3), 'norm of a reconstruction, as a share of its input’s'],
  ]
}

export const groupColumns = [
  { heading: 'true feature', align: 'left' as const },
  { heading: 'latents' },
  { heading: 'features' },
  { heading: 'F1' },
  { heading: 'precision' },
  { heading: 'recall' },
  { heading: '|cosine|' },
]

export const groupRows = (groups: readonly GroupRecovery[]): string[][] =>
  groups.map(({ kind, latents, features, f1, precision, recall, cosine }) => [
    kind,
    formatNumber(latents),
    formatNumber(features),
    ...[f1, precision, recall, cosine].map((value) => decimals(value, 3)),
  ])

const groupsTable = (groups: readonly GroupRecovery[]) => ({
  kind: 'table' as const,
  columns: groupColumns,
  rows: groupRows(groups),
  caption: 'Latents by the place of their nearest true feature in the hierarchy; means over latents.',
})

function dotsOf({ match, detection }: LatentRecovery, world: FeatureModel): Dot[] {
  return Array.from(match.nearest, (feature, i) => ({
    probability: world.probabilities[feature],
    f1: detection.f1[i],
    precision: detection.precision[i],
    recall: detection.recall[i],
    cosine: match.nearestCosine[i],
    kind: kindOfFeature(world, feature),
  }))
}

async function figuresOf(dots: Dot[]): Promise<Figure[]> {
  const color = { legend: true, domain: [...featureKinds] }
  const share = { domain: [0, 1], grid: true }
  return [
    {
      html: await plot((Plot) => ({
        ariaLabel: 'F1 of each latent against how often its true feature fires',
        color,
        x: { type: 'log', label: 'firing probability of the true feature', tickFormat: '~g' },
        y: { ...share, label: 'F1' },
        marks: [Plot.dot(dots, { x: 'probability', y: 'f1', fill: 'kind', r: 1.5, fillOpacity: 0.5 })],
      })),
      caption:
        'Each dot is a latent: how well it detects its nearest true feature, against how often that feature fires.',
    },
    {
      html: await plot((Plot) => ({
        ariaLabel: 'Precision against recall of each latent',
        color,
        x: { ...share, label: 'recall' },
        y: { ...share, label: 'precision' },
        marks: [Plot.dot(dots, { x: 'recall', y: 'precision', fill: 'kind', r: 1.5, fillOpacity: 0.5 })],
      })),
      caption:
        'Low recall at high precision: others fire in its place. Low precision: it fires for other features too.',
    },
    {
      html: await plot((Plot) => ({
        ariaLabel: 'Histogram of the cosines of latents with their nearest true features',
        color,
        x: { label: '|cosine| with the nearest true feature', domain: [0, 1] },
        y: { label: 'latents', grid: true },
        marks: [
          Plot.rectY(
            dots,
            Plot.binX<RectYOptions>({ y: 'count' }, { x: { value: 'cosine', thresholds: 40 }, fill: 'kind' }),
          ),
          Plot.ruleY([0]),
        ],
      })),
      caption: 'How closely decoder directions follow true features.',
    },
  ]
}
