import type { FeatureMap } from '../../../../src/server/protocol'
import { number } from '../../components/tokens'
import { colour } from '../../theme'

/** What the colour of a point may say. */
export const colourings = ['density', 'max', 'score', 'cluster'] as const
export type Colouring = (typeof colourings)[number]

export const colouringNames: Record<Colouring, string> = {
  density: 'Density',
  max: 'Maximum activation',
  score: 'Score of the explanation',
  cluster: 'Cluster',
}

/** Steps of the scale for numbers. They fill the palette from 0; the colour for "no value" follows them. */
const steps = 200
const none = steps

/** Colours for clusters, --cluster-0 .. --cluster-8. They repeat for the largest clusters, the rest are grey. */
const clusterColours = 9
const colouredClusters = 3 * clusterColours

/** Named colours of the scale, --scale-0 .. --scale-8, weak to strong. */
const stops = 9

export interface Coloured {
  /** index into the palette of each point */
  colours: Uint8Array
  /** low, middle and high end of a scale for numbers; null for clusters */
  scale: readonly string[] | null
  /** points without a value */
  without: number
}

/** Index into the palette of a cluster. */
export const clusterColour = (cluster: number): number =>
  cluster < colouredClusters ? cluster % clusterColours : clusterColours

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.round(share * (sorted.length - 1))] ?? 0
}

const percent = (share: number): string => `${number(100 * share)}%`

/** Colours of the points by their cluster, or by a number: the lowest and highest 1% share the ends of the scale. */
export function colourPoints(map: FeatureMap, by: Colouring): Coloured {
  if (by === 'cluster')
    return { colours: Uint8Array.from(map.cluster, clusterColour), scale: null, without: 0 }
  const logarithmic = by === 'density'
  const column = map[by]
  const values = Float64Array.from(column, (value) => {
    if (value === null) return Number.NaN
    return logarithmic ? Math.log(Math.max(value, 1e-12)) : value
  })
  const sorted = values.filter((value) => !Number.isNaN(value)).sort()
  const low = quantile(sorted, 0.01)
  const high = Math.max(quantile(sorted, 0.99), low + 1e-9)
  const step = (value: number): number => {
    const at = Math.floor((steps * (value - low)) / (high - low))
    return Number.isNaN(value) ? none : Math.min(Math.max(at, 0), steps - 1)
  }
  const shown = (value: number) => (logarithmic ? percent(Math.exp(value)) : number(value))
  return {
    colours: Uint8Array.from(values, step),
    scale: [`≤ ${shown(low)}`, shown((low + high) / 2), `≥ ${shown(high)}`],
    without: values.length - sorted.length,
  }
}

/** Red, green, blue, opacity of a colour written as #rrggbb. */
export const parts = (hex: string): number[] => [
  ...[1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) || 0),
  255,
]

/** The palette of a colouring in the theme that is shown; tracked. */
export function paletteOf(by: Colouring): Uint8Array {
  const palette = new Uint8Array(4 * 256)
  const grey = parts(colour('map-none'))
  for (let i = 0; i < 256; i++) palette.set(grey, 4 * i)
  if (by === 'cluster')
    for (let i = 0; i < clusterColours; i++) palette.set(parts(colour(`cluster-${i}`)), 4 * i)
  else palette.set(scaleColours(), 0)
  return palette
}

/** The scale for numbers in `steps` colours between its named ones. */
function scaleColours(): number[] {
  const named = Array.from({ length: stops }, (_, i) => parts(colour(`scale-${i}`)))
  return Array.from({ length: steps }, (_, i) => {
    const at = (i / (steps - 1)) * (stops - 1)
    const from = Math.min(Math.floor(at), stops - 2)
    return named[from].map((part, j) => Math.round(part + (at - from) * (named[from + 1][j] - part)))
  }).flat()
}
