import { type Plot, plot } from '../../report/plot.js'
import type { Figure } from '../../report/report-page.js'
import { measureGeometry, representedNorm } from './geometry.js'
import { commonPolytopes } from './polytopes.js'
import type { ToyPicture } from './toy-report.js'

/** Gram matrices, and other values with a sign: blue below 0, red above. */
const signed = { scheme: 'RdBu', reverse: true, domain: [-1, 1], range: undefined } as const
/** From a feature that has a dimension of its own to one whose direction is full of others. */
const crowding = { scheme: 'viridis', domain: [0, 1], range: undefined } as const

const densityLabel = ({ distribution }: ToyPicture): string =>
  `p = ${Number(distribution.density.toPrecision(3))}`

/** Features of two dimensions as arrows, one panel for each model. @param label heading of a panel */
export async function arrowsFigure(
  pictures: readonly ToyPicture[],
  caption: string,
  label: (picture: ToyPicture) => string = densityLabel,
): Promise<Figure> {
  const panels = pictures.map(label)
  const arrows = pictures.flatMap(({ w, importance }, p) =>
    importance.map((_, i) => ({
      ...{ panel: panels[p], feature: String(i + 1), x: w?.[2 * i] ?? 0, y: w?.[2 * i + 1] ?? 0 },
    })),
  )
  const long = arrows.filter(({ x, y }) => Math.hypot(x, y) > 0.05)
  const html = await plot(
    (Plot) => ({
      ariaLabel: caption,
      height: 250,
      marginTop: 30,
      fx: { domain: panels, label: null },
      x: { domain: [-1.4, 1.4], ticks: [-1, 0, 1], label: null },
      y: { domain: [-1.4, 1.4], ticks: [-1, 0, 1], label: null },
      color: { legend: true, label: 'feature' },
      marks: [
        Plot.frame({ strokeOpacity: 0.2 }),
        Plot.arrow(long, {
          ...{ fx: 'panel', x1: 0, y1: 0, x2: 'x', y2: 'y' },
          ...{ stroke: 'feature', strokeWidth: 2.5, headLength: 6 },
        }),
        Plot.dot(
          arrows.filter((arrow) => !long.includes(arrow)),
          { fx: 'panel', x: 'x', y: 'y', stroke: 'feature', r: 4 },
        ),
      ],
    }),
    640,
  )
  return { html, caption }
}

/** W^T W of each model as a heat map. */
export async function gramFigure(pictures: readonly ToyPicture[], caption: string): Promise<Figure> {
  const panels = pictures.map(densityLabel)
  const cells = pictures.flatMap((picture, p) => {
    const { features, gram } = gramOf(picture)
    return Array.from(gram, (value, at) => ({
      ...{ panel: panels[p], i: Math.floor(at / features) + 1, j: (at % features) + 1, value },
    }))
  })
  const html = await plot(
    (Plot) => ({
      ariaLabel: caption,
      height: 190,
      ...{ marginTop: 30, marginLeft: 10, marginBottom: 10 },
      fx: { domain: panels, label: null, axis: 'top' },
      x: { axis: null },
      y: { axis: null },
      color: { ...signed, type: 'linear', clamp: true },
      marks: [
        Plot.cell(cells, { fx: 'panel', x: 'j', y: 'i', fill: 'value', inset: 0 }),
        Plot.frame({ strokeOpacity: 0.3 }),
      ],
    }),
    1080,
  )
  return { html, caption }
}

function gramOf({ distribution: { features }, dimensions, w }: ToyPicture) {
  return { features, ...measureGeometry({ features, dimensions, w: Float32Array.from(w ?? []) }) }
}

/** ||W_i|| of each feature as bars, coloured by how much of its dimension it has for itself. */
export async function normsFigure(pictures: readonly ToyPicture[], caption: string): Promise<Figure> {
  const panels = pictures.map(densityLabel)
  const bars = pictures.flatMap(({ norms, dimensionalities }, p) =>
    norms.map((norm, i) => ({ panel: panels[p], feature: i + 1, norm, dimensionality: dimensionalities[i] })),
  )
  const html = await plot(
    (Plot) => ({
      ariaLabel: caption,
      height: 210,
      ...{ marginTop: 30, marginBottom: 30 },
      fx: { domain: panels, label: null },
      x: { label: 'feature', tickFormat: (i: number) => (i % 5 === 0 ? String(i) : ''), tickSize: 0 },
      y: { label: '‖W_i‖', grid: true },
      color: { ...crowding, type: 'linear', clamp: true },
      marks: [
        Plot.barY(bars, { fx: 'panel', x: 'feature', y: 'norm', fill: 'dimensionality' }),
        Plot.ruleY([0]),
      ],
    }),
    1080,
  )
  return { html, caption }
}

/** D* and every D_i over sparsity, with the polytopes' values. */
export async function sparsityFigure(pictures: readonly ToyPicture[], caption: string): Promise<Figure> {
  const x = ({ distribution }: ToyPicture): number => 1 / distribution.density
  const right = Math.max(...pictures.map(x))
  const means = pictures.flatMap((picture) =>
    picture.dimensionsPerFeature === null ? [] : [{ x: x(picture), y: picture.dimensionsPerFeature }],
  )
  const features = pictures.flatMap((picture) => picture.dimensionalities.map((y) => ({ x: x(picture), y })))
  const html = await plot((Plot) => ({
    ariaLabel: caption,
    marginRight: 125,
    x: {
      type: 'log',
      label: '1 / (1 - S) = 1 / density',
      ticks: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((tick) => tick <= right),
      tickFormat: 'd',
    },
    y: { domain: [0, 1.05], label: 'dimensions per feature' },
    marks: [
      ...polytopeLines(Plot, right),
      Plot.dot(features, { x: 'x', y: 'y', r: 1.5, fill: '#2f8fc4', fillOpacity: 0.25 }),
      Plot.lineY(means, { x: 'x', y: 'y', stroke: '#d55e00', strokeWidth: 2, marker: true }),
    ],
  }))
  return { html, caption }
}

/** Names stand above their lines; the last one's, whose line is just below another, under it. */
const polytopeLines = (Plot: Plot, right: number) => {
  const name = { x: right, y: 'dimensionality', text: 'name', textAnchor: 'start', dx: 10 } as const
  return [
    Plot.ruleY(commonPolytopes, { y: 'dimensionality', strokeOpacity: 0.35, strokeDasharray: '3,3' }),
    Plot.text(commonPolytopes.slice(0, -1), { ...name, lineAnchor: 'bottom', dy: 4 }),
    Plot.text(commonPolytopes.slice(-1), { ...name, lineAnchor: 'top', dy: -1 }),
  ]
}

/** What becomes of the second of two features in one dimension, over sparsity and its relative importance. */
export async function phaseFigure(pictures: readonly ToyPicture[], caption: string): Promise<Figure> {
  const cells = pictures.map(({ norms: [first, second], w, importance, distribution }) => ({
    density: Number(distribution.density.toPrecision(2)),
    importance: Number(importance[1].toPrecision(2)),
    phase: phaseOf(first, second, w ?? []),
  }))
  const html = await plot((Plot) => ({
    ariaLabel: caption,
    marginLeft: 60,
    marginBottom: 40,
    height: 380,
    x: { label: 'density (sparser to the right)', reverse: true },
    y: { label: 'importance of the second feature, relative to the first', reverse: true },
    color: { domain: phases, range: ['#b8bcc4', '#0072b2', '#d55e00', '#7a3fa0'], legend: true },
    marks: [Plot.cell(cells, { x: 'density', y: 'importance', fill: 'phase', inset: 0.5 })],
  }))
  return { html, caption }
}

const phases = ['not represented', 'a dimension of its own', 'superposition (antipodal)', 'both, on one side']

function phaseOf(first: number, second: number, [w1, w2]: readonly number[]): string {
  if (second < representedNorm) return phases[0]
  if (first < representedNorm) return phases[1]
  return w1 * w2 < 0 ? phases[2] : phases[3]
}
