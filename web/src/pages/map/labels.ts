import type { Placement, Size } from './camera'
import type { MapPoints } from './points'

/** The name of a cluster and where it stands, CSS pixels. */
export interface Label {
  cluster: number
  name: string
  x: number
  y: number
}

/** Size of labels, as in map.css. */
const fontSize = 12
const padding = 6
const longest = 180
const height = 22

/** The buttons that zoom stand at the right, below. */
const corner = { width: 56, height: 140 }

/** Square pixels of map that each label leaves free at zoom 1. */
const areaEach = 45_000

const measuring = document.createElement('canvas').getContext('2d')
const widths = new Map<string, number>()

function widthOf(name: string): number {
  const known = widths.get(name)
  if (known !== undefined) return known
  if (measuring) measuring.font = `600 ${fontSize}px ${getComputedStyle(document.body).fontFamily}`
  const width = Math.min(measuring?.measureText(name).width ?? longest, longest) + 2 * padding
  widths.set(name, width)
  return width
}

/**
 * The labels that there is room for, largest clusters first: none lies on another, and fewer where much is seen.
 * @param zoom 1: the whole map is seen
 */
export function placeLabels(points: MapPoints, placement: Placement, size: Size, zoom: number): Label[] {
  const placed: (Label & { half: number })[] = []
  const most = Math.ceil(((size.width * size.height) / areaEach) * Math.max(zoom, 1))
  const { map, clusterPlaces } = points
  for (let i = 0; i < map.clusters.length && placed.length < most; i++) {
    const { cluster, name } = map.clusters[i]
    const x = placement.x + placement.scale * clusterPlaces[2 * i]
    const y = placement.y + placement.scale * clusterPlaces[2 * i + 1]
    const half = widthOf(name) / 2
    if (x < half || x > size.width - half || y < height || y > size.height - height) continue
    if (x + half > size.width - corner.width && y > size.height - corner.height) continue
    const free = placed.every(
      (other) => Math.abs(other.x - x) > other.half + half + 8 || Math.abs(other.y - y) > height + 6,
    )
    if (free) placed.push({ cluster, name, x: Math.round(x), y: Math.round(y), half })
  }
  return placed
}
