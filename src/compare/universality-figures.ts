import { groupColours, plot } from '../report/plot.js'
import type { Figure } from '../report/report-page.js'
import { comparisonLabels } from './render-universality.js'
import type { Comparison, SimilaritySummary, Universality } from './universality-file.js'

const order = Object.keys(comparisonLabels) as Comparison[]
const labels = order.map((name) => comparisonLabels[name])

/** Share of columns whose best partner is no more similar than x, for all comparisons in one figure. */
export async function distributionFigure(
  summaries: Record<Comparison, SimilaritySummary>,
  similarity: string,
): Promise<Figure> {
  const points = order.flatMap((name) =>
    (summaries[name].percentiles ?? []).map((x, i) => ({ x, share: i / 100, name: comparisonLabels[name] })),
  )
  const html = await plot((Plot) => ({
    ariaLabel: `Cumulative distribution of ${similarity} with the best partner`,
    marginLeft: 50,
    x: {
      label: `${similarity} with the best partner →`,
      domain: [Math.min(0, ...points.map(({ x }) => x)), 1],
    },
    y: { label: '↑ % at or below', domain: [0, 100], percent: true, grid: true },
    color: { domain: labels, range: groupColours.slice(0, labels.length), legend: true },
    marks: [Plot.line(points, { x: 'x', y: 'share', stroke: 'name', strokeWidth: 2 })],
  }))
  return {
    html,
    caption: `Cumulative distributions: the further to the right, the more alike. The median is where a line crosses 50%.`,
  }
}

/** Dots of a figure: more take space and show no more. */
const mostDots = 1500

/** Ids evenly spread over those that have everything a figure needs. */
function shownFeatures(universality: Universality, usable: (feature: number) => boolean): number[] {
  const features = Array.from(universality.aToB.fires.keys()).filter(usable)
  const step = Math.max(1, features.length / mostDots)
  return Array.from({ length: Math.floor(features.length / step) }, (_, i) => features[Math.floor(i * step)])
}

/** Similarity by how often a feature fires: dots, and medians with quartiles. */
export async function densityFigure(universality: Universality): Promise<Figure> {
  const { aToB, density, text } = universality
  const dots = shownFeatures(universality, (i) => aToB.activation.similarity[i] !== null).map((i) => ({
    x: aToB.fires[i] / text.choosing,
    y: aToB.activation.similarity[i],
  }))
  const bins = density.flatMap(({ from, to, activation }) =>
    activation === null
      ? []
      : [{ x: 10 ** ((from + to) / 2), low: activation[0], median: activation[1], high: activation[2] }],
  )
  const html = await plot((Plot) => ({
    ariaLabel: 'Activation similarity with the best partner by density of the feature',
    marginLeft: 50,
    x: { type: 'log', label: 'density: share of tokens on which the feature of A fires →', tickFormat: '~p' },
    y: {
      label: '↑ activation similarity',
      grid: true,
      domain: [Math.min(0, ...dots.map(({ y }) => y ?? 0)), 1],
    },
    marks: [
      Plot.dot(dots, { x: 'x', y: 'y', r: 1.5, fill: groupColours[0], fillOpacity: 0.25 }),
      Plot.ruleX(bins, { x: 'x', y1: 'low', y2: 'high', stroke: groupColours[1], strokeWidth: 2 }),
      Plot.line(bins, { x: 'x', y: 'median', stroke: groupColours[1], strokeWidth: 2 }),
      Plot.dot(bins, { x: 'x', y: 'median', r: 4, fill: groupColours[1] }),
    ],
  }))
  return {
    html,
    caption: `A dot is a feature of A${dots.length === mostDots ? ` (${mostDots} of them)` : ''}; large dots are medians of half decades of density, bars their quartiles.`,
  }
}

/** One similarity against the other, for the partner by activation. Null without logit weights. */
export async function agreementFigure(universality: Universality): Promise<Figure | null> {
  const { activation, logitWeights } = universality.aToB
  if (logitWeights === null) return null
  const usable = (i: number): boolean =>
    activation.partner[i] !== null && activation.logitSimilarity[i] !== null
  const names = ['the partner by logit weights too', 'another is nearer by logit weights']
  const dots = shownFeatures(universality, usable).map((i) => ({
    x: activation.similarity[i],
    y: activation.logitSimilarity[i],
    name: names[activation.partner[i] === logitWeights.partner[i] ? 0 : 1],
  }))
  const html = await plot((Plot) => ({
    ariaLabel:
      'Activation similarity and logit-weight similarity of each feature with its partner by activation',
    marginLeft: 50,
    x: { label: 'activation similarity →' },
    y: { label: '↑ logit-weight similarity of the same pair', grid: true },
    color: { domain: names, legend: true },
    marks: [Plot.dot(dots, { x: 'x', y: 'y', r: 1.5, fill: 'name', fillOpacity: 0.45 })],
  }))
  return {
    html,
    caption: 'A dot is a feature of A with the feature of B that is active most like it.',
  }
}
