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
    marginBottom: 45,
    x: { type: 'log', axis: null },
    y: { domain: [0, 1.02], label: yLabel, grid: true, tickFormat: '.0%' },
    color: {
      legend: true,
      label: curveLabel,
      type: 'categorical',
      domain: [...new Set(points.map(({ curve }) => curve))],
    },
    marks: [
      // the axis of a logarithmic scale leaves out some of the labels
      Plot.axisX([...ticks], { text: (x: number) => String(x), label: xLabel, labelOffset: 38 }),
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
              curve: `n / m = ${Number((model.features / model.dimensions).toFixed(2))}`,
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
interface Variation {
  name: string
  of: (dictionary: Dictionary, model: ToyRecovery) => number
  /** what must be as in the claim */
  kept: (dictionary: Dictionary) => number
}

const sparsityOf = (dictionary: Dictionary): number =>
  dictionary.architecture === 'relu' ? dictionary.l1Coefficient : dictionary.k

const variationsOf = ({ architecture }: Dictionary): Variation[] => [
  {
    name: 'dictionary size F / n',
    of: ({ features }, model) => features / model.features,
    kept: sparsityOf,
  },
  {
    name: architecture === 'relu' ? 'lambda' : 'k',
    of: sparsityOf,
    kept: ({ features }) => features,
  },
]

/**
 * What the claim's model gives with other autoencoders: recovered features and mean max cosines both ways, over each thing that was
 * varied; one figure for each architecture and each thing.
 */
export async function dictionaryCurves(claim: ToyRecovery, model: ToyRecovery): Promise<Figure[]> {
  const wanted = found(claim).flatMap(({ dictionary }) =>
    variationsOf(dictionary).map((variation) => ({ usual: dictionary, variation })),
  )
  return Promise.all(
    wanted.map(({ usual, variation: { name, of, kept } }) => {
      const points = found(model)
        .filter(({ dictionary }) => dictionary.architecture === usual.architecture)
        .filter(({ dictionary }) => kept(dictionary) === kept(usual))
        .flatMap((recovery) => pointsOf(of(recovery.dictionary, model), recovery))
      return curves(points, {
        caption: `${usual.architecture}: features recovered, and mean max cosine from true to learned features and back, over ${name}.`,
        xLabel: name,
        yLabel: 'share, cosine',
        curveLabel: '',
        ticks: [...new Set(points.map(({ x }) => x))],
      })
    }),
  )
}

function pointsOf(x: number, { recovered, trueToLearned, learnedToTrue }: Recovery): Point[] {
  const values = { recovered, 'true → learned': trueToLearned, 'learned → true': learnedToTrue }
  return Object.entries(values).flatMap(([curve, y]) => (y === null ? [] : [{ x, y, curve }]))
}
