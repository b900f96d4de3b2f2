import { plot } from '../../report/plot.js'
import type { Figure } from '../../report/report-page.js'
import type { Dictionary, Recovery } from './recovery.js'
import type { ToyRecovery } from './toy-report.js'

/** One point of a curve. */
interface Point {
  x: number
  y: number
  /** name of its curve */
  curve: string
}

interface Axes {
  caption: string
  xLabel: string
  yLabel: string
  /** what tells the curves apart */
  curveLabel: string
  /** values of x that were tried */
  ticks: readonly number[]
}

async function curves(
  points: readonly Point[],
  { caption, ticks, xLabel, yLabel, curveLabel }: Axes,
): Promise<Figure> {
  const html = await plot((Plot) => ({
    ariaLabel: caption,
    height: 300,
    x: { type: 'log', label: xLabel, ticks: [...ticks], tickFormat: (x: number) => String(x) },
    y: { domain: [0, 1.02], label: yLabel, grid: true, tickFormat: '.0%' },
    color: { legend: true, label: curveLabel, type: 'categorical' },
    marks: [
      Plot.lineY(points, { x: 'x', y: 'y', stroke: 'curve', marker: true, strokeWidth: 2, sort: 'x' }),
      Plot.ruleY([0.95], { strokeOpacity: 0.5, strokeDasharray: '4,4' }),
    ],
  }))
  return { html, caption }
}

const found = ({ recoveries }: ToyRecovery): Recovery[] => recoveries.filter((recovery) => recovery !== null)

/** The share of true features recovered over sparsity, a curve for each overcompleteness; one figure for each architecture. */
export async function sparsityCurves(models: readonly ToyRecovery[]): Promise<Figure[]> {
  const architectures = [
    ...new Set(models.flatMap((model) => found(model).map(({ dictionary }) => dictionary.architecture))),
  ]
  return Promise.all(
    architectures.map((architecture) => {
      const points = models.flatMap((model) =>
        found(model)
          .filter(({ dictionary }) => dictionary.architecture === architecture)
          .map(({ recovered }) => ({
            ...{
              x: model.density,
              y: recovered,
              curve: `${Number((model.features / model.dimensions).toFixed(2))}`,
            },
          })),
      )
      return curves(points, {
        caption: `${architecture}: true features recovered (cosine of at least 0.95) over the density of features. The dashed line is 95%.`,
        xLabel: 'feature density 1 - S',
        yLabel: 'recovered',
        curveLabel: 'n / m',
        ticks: [...new Set(models.map(({ density }) => density))],
      })
    }),
  )
}

/** One thing about the autoencoder that changes while the others stay those of the claim. */
export interface Variation {
  name: string
  of: (dictionary: Dictionary) => number | null
  /** everything else that must be as in the claim */
  others: (dictionary: Dictionary) => unknown
}

const sparsityOf = (dictionary: Dictionary): number =>
  dictionary.architecture === 'relu' ? dictionary.l1Coefficient : dictionary.k

const variations = (features: number): Variation[] => [
  {
    name: 'dictionary size F / n',
    of: (dictionary) => dictionary.features / features,
    others: sparsityOf,
  },
  {
    name: 'lambda',
    of: (dictionary) => (dictionary.architecture === 'relu' ? dictionary.l1Coefficient : null),
    others: (dictionary) => dictionary.features,
  },
  {
    name: 'k',
    of: (dictionary) => (dictionary.architecture === 'relu' ? null : dictionary.k),
    others: (dictionary) => dictionary.features,
  },
]

/** What the claim's model gives with other autoencoders: recovered features and mean max cosines both ways, over each thing that was varied. */
export async function dictionaryCurves(claim: ToyRecovery, model: ToyRecovery): Promise<Figure[]> {
  const figures = variations(claim.features).map(async (variation) => {
    const points = found(claim).flatMap(({ dictionary: usual }) =>
      found(model)
        .filter(({ dictionary }) => dictionary.architecture === usual.architecture)
        .filter(({ dictionary }) => variation.others(dictionary) === variation.others(usual))
        .flatMap((recovery) => pointsOf(recovery, variation)),
    )
    if (points.length === 0) return []
    const figure = await curves(points, {
      caption: `${variation.name}: recovered features, and mean max cosine from true to learned features and back.`,
      xLabel: variation.name,
      yLabel: 'share, cosine',
      curveLabel: '',
      ticks: [...new Set(points.map(({ x }) => x))],
    })
    return [figure]
  })
  return (await Promise.all(figures)).flat()
}

function pointsOf(recovery: Recovery, variation: Variation): Point[] {
  const x = variation.of(recovery.dictionary)
  if (x === null) return []
  const { architecture } = recovery.dictionary
  const point = (y: number | null, name: string): Point[] =>
    y === null ? [] : [{ x, y, curve: `${architecture}, ${name}` }]
  return [
    ...point(recovery.recovered, 'recovered'),
    ...point(recovery.trueToLearned, 'true → learned'),
    ...point(recovery.learnedToTrue, 'learned → true'),
  ]
}
