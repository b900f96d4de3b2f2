import { UndirectedGraph } from 'graphology'
import louvainModule, { type LouvainOptions } from 'graphology-communities-louvain'
import { Random } from '../random/random.js'
import type { Neighbours } from '../sae/decoder-neighbours.js'
import type { MapConfig } from './map-config.js'
import { type NeighbourDistances, umap } from './umap.js'

/** Where n features lie. */
export interface MapLayout {
  /** [n] each: 2-D UMAP */
  x: Float32Array
  y: Float32Array
  /** [n] rank by a 1-D UMAP, 0 .. n-1: features that are alike are close in the list */
  order: Int32Array
  /** [n] 0 is the largest cluster */
  cluster: Int32Array
  clusters: number
}

export type LayoutOptions = Pick<MapConfig, 'minDist' | 'resolution' | 'seed'>

/** Called now and then while a layout is made. */
export type LayoutProgress = (step: 'map' | 'order' | 'clusters', done: number, total: number) => void

/** UMAP needs a few points to have neighbours at all. */
const fewestPoints = 4

/**
 * Places features by their neighbours: the map and the list order by UMAP (McInnes, Healy and Melville 2018) on 1 - cosine, as
 * in Bricken et al. 2023; clusters are the Louvain communities (Blondel et al. 2008) of the neighbour graph. Same seed, same
 * layout. Long and synchronous: `mapInWorker` runs it off the event loop.
 */
export function layoutMap(
  neighbours: Neighbours,
  n: number,
  options: LayoutOptions,
  progress: LayoutProgress = () => {},
): MapLayout {
  const plane = embed(neighbours, n, 2, options, (done, total) => progress('map', done, total))
  const line = embed(neighbours, n, 1, options, (done, total) => progress('order', done, total))
  progress('clusters', 0, n)
  const { cluster, clusters } = findClusters(neighbours, n, options)
  progress('clusters', n, n)
  return {
    x: Float32Array.from({ length: n }, (_, i) => plane[2 * i]),
    y: Float32Array.from({ length: n }, (_, i) => plane[2 * i + 1]),
    order: ranks(line),
    cluster,
    clusters,
  }
}

/** UMAP coordinates [n, dimensions]; fewer than four features stand in a row. */
function embed(
  neighbours: Neighbours,
  n: number,
  dimensions: 1 | 2,
  { minDist, seed }: LayoutOptions,
  progress: (done: number, total: number) => void,
): Float64Array {
  if (n < fewestPoints)
    return Float64Array.from({ length: n * dimensions }, (_, i) =>
      i % dimensions === 0 ? i / dimensions : 0,
    )
  const random = Random.named(seed, dimensions === 2 ? 'features.map' : 'features.order')
  return umap(umapNeighbours(neighbours, n), { dimensions, minDist, random }, progress)
}

/** As UMAP counts, a point is one of its own neighbours: of k, it gets k - 1 others. */
function umapNeighbours({ k, rows, cosines }: Neighbours, n: number): NeighbourDistances {
  const others = Math.max(2, k - 1)
  const keep = (_: unknown, i: number) => i % k < others
  const distances = cosines.filter(keep).map((cosine) => Math.max(0, 1 - cosine))
  return { n, k: others, rows: rows.filter(keep), distances }
}

/** Communities of the neighbour graph, each edge weighted by its cosine, numbered from the largest. */
function findClusters(
  { rows, cosines, k }: Neighbours,
  n: number,
  { resolution, seed }: LayoutOptions,
): { cluster: Int32Array; clusters: number } {
  const graph = new UndirectedGraph()
  for (let i = 0; i < n; i++) graph.addNode(i)
  for (let i = 0; i < n; i++)
    for (let e = i * k; e < (i + 1) * k; e++)
      if (cosines[e] > 0) graph.mergeEdge(i, rows[e], { weight: cosines[e] })
  const random = Random.named(seed, 'features.clusters')
  const found = louvain(graph, { resolution, getEdgeWeight: 'weight', rng: () => random.uniform() })
  return numberBySize(Int32Array.from({ length: n }, (_, i) => found[i]))
}

// The package is CommonJS: its function is the module itself, whatever its types say.
const louvain = louvainModule as unknown as (
  graph: UndirectedGraph,
  options: LouvainOptions,
) => Record<string, number>

/** Numbers communities from the largest; among equals the one with the lowest feature first. */
function numberBySize(community: Int32Array): { cluster: Int32Array; clusters: number } {
  const sizes = new Map<number, number>()
  for (const id of community) sizes.set(id, (sizes.get(id) ?? 0) + 1)
  // A Map keeps the order in which communities were first met, and sorting keeps it among equals.
  const ordered = [...sizes].sort((a, b) => b[1] - a[1]).map(([id]) => id)
  const numbers = new Map(ordered.map((id, number) => [id, number]))
  return { cluster: community.map((id) => numbers.get(id) as number), clusters: ordered.length }
}

/** Place of each value when all are sorted; among equals the earlier first. */
function ranks(values: Float64Array): Int32Array {
  const sorted = Int32Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b] || a - b)
  const rank = new Int32Array(values.length)
  sorted.forEach((i, place) => {
    rank[i] = place
  })
  return rank
}
