import KDBush from 'kdbush'
import type { FeatureMap } from '../../../../src/server/protocol'

/** Width and height of the box that all points fit in, in map units: the longer side is 1. */
export interface Extent {
  width: number
  height: number
}

/** The features on the map, ready to be drawn and found. A point is an index into the columns of `map`. */
export interface MapPoints {
  map: FeatureMap
  /** x, y of each point in map units; the middle of the map is 0, 0 */
  places: Float32Array
  extent: Extent
  tree: KDBush
  /** point of a feature */
  pointOf: ReadonlyMap<number, number>
  /** place of the label of each cluster, as `places` */
  clusterPlaces: Float32Array
}

interface Range {
  middle: number
  length: number
}

function rangeOf(values: readonly number[]): Range {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (value < low) low = value
    if (value > high) high = value
  }
  return values.length === 0
    ? { middle: 0, length: 1 }
    : { middle: (low + high) / 2, length: Math.max(high - low, 1e-6) }
}

/** Puts the columns of the map into its own units and indexes them. */
export function preparePoints(map: FeatureMap): MapPoints {
  const horizontal = rangeOf(map.x)
  const vertical = rangeOf(map.y)
  const unit = Math.max(horizontal.length, vertical.length)
  const placesOf = (x: readonly number[], y: readonly number[]): Float32Array => {
    const places = new Float32Array(2 * x.length)
    for (let i = 0; i < x.length; i++) {
      places[2 * i] = (x[i] - horizontal.middle) / unit
      places[2 * i + 1] = (y[i] - vertical.middle) / unit
    }
    return places
  }
  const places = placesOf(map.x, map.y)
  const tree = new KDBush(map.x.length, 64, Float32Array)
  for (let i = 0; i < map.x.length; i++) tree.add(places[2 * i], places[2 * i + 1])
  return {
    map,
    places,
    extent: { width: horizontal.length / unit, height: vertical.length / unit },
    tree: tree.finish(),
    pointOf: new Map(map.feature.map((feature, point) => [feature, point])),
    clusterPlaces: placesOf(
      map.clusters.map(({ x }) => x),
      map.clusters.map(({ y }) => y),
    ),
  }
}

/** The point nearest to a place, at most `radius` away, all in map units; undefined where there is none. */
export function nearestPoint({ tree, places }: MapPoints, x: number, y: number, radius: number) {
  let best: number | undefined
  let least = Number.POSITIVE_INFINITY
  for (const point of tree.within(x, y, radius)) {
    const distance = (places[2 * point] - x) ** 2 + (places[2 * point + 1] - y) ** 2
    if (distance >= least) continue
    best = point
    least = distance
  }
  return best
}

/**
 * The points inside a closed line, ascending.
 * @param line its corners, x and y in map units
 */
export function pointsInside({ tree, places }: MapPoints, line: readonly [number, number][]): number[] {
  if (line.length < 3) return []
  const x = line.map(([x]) => x)
  const y = line.map(([, y]) => y)
  return tree
    .range(Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y))
    .filter((point) => isInside(places[2 * point], places[2 * point + 1], line))
    .sort((a, b) => a - b)
}

/** Even-odd rule: a ray to the right crosses the line an odd number of times. */
function isInside(x: number, y: number, line: readonly [number, number][]): boolean {
  let inside = false
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const [xi, yi] = line[i]
    const [xj, yj] = line[j]
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside
  }
  return inside
}

/** The points of one cluster, ascending. */
export function pointsOfCluster({ map }: MapPoints, cluster: number): number[] {
  const points: number[] = []
  map.cluster.forEach((of, point) => {
    if (of === cluster) points.push(point)
  })
  return points
}
