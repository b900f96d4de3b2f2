/**
 * UMAP (McInnes, Healy and Melville 2018, https://arxiv.org/abs/1802.03426) of points whose nearest neighbours are known, on typed
 * arrays. Steps and constants are those of umap-learn, but for the start: random places.
 */
import type { Random } from '../random/random.js'

/** The k nearest others of each of n points, nearest first. */
export interface NeighbourDistances {
  n: number
  k: number
  /** [n, k] */
  rows: Int32Array
  /** [n, k] at least 0 */
  distances: Float32Array
}

export interface UmapOptions {
  dimensions: number
  /** how close two points may come, on a scale on which 1 is far */
  minDist: number
  /** default 500, from 10,000 points on 200 */
  epochs?: number
  random: Random
}

/** Edges of the fuzzy graph, each in both directions: `weight` in (0, 1] says how surely the two are neighbours. */
export interface FuzzyGraph {
  from: Int32Array
  to: Int32Array
  weight: Float64Array
}

/** @returns [n, dimensions] */
export function umap(
  neighbours: NeighbourDistances,
  { dimensions, minDist, random, epochs = neighbours.n < 10_000 ? 500 : 200 }: UmapOptions,
  progress: (epoch: number, epochs: number) => void = () => {},
): Float64Array {
  const graph = fuzzyGraph(neighbours)
  const places = new Float64Array(neighbours.n * dimensions)
  for (let i = 0; i < places.length; i++) places[i] = 20 * random.uniform() - 10
  const curve = fitCurve(minDist)
  const schedule = createSchedule(graph.weight, epochs)
  for (let epoch = 0; epoch < epochs; epoch++) {
    moveAll(places, dimensions, graph, schedule, { ...curve, epoch, rate: 1 - epoch / epochs, random })
    progress(epoch + 1, epochs)
  }
  return places
}

/**
 * Section 3.1: w(i -> j) = exp(-(d_ij - rho_i) / sigma_i), made symmetric as the probability that at least one of the two directed edges
 * exists.
 */
export function fuzzyGraph(neighbours: NeighbourDistances): FuzzyGraph {
  const { n, k, rows } = neighbours
  const directed = memberships(neighbours)
  const back = (i: number, j: number): number => {
    const at = rows.subarray(j * k, (j + 1) * k).indexOf(i)
    return at < 0 ? -1 : directed[j * k + at]
  }
  const [from, to, weight]: number[][] = [[], [], []]
  const add = (i: number, j: number, w: number) => {
    from.push(i)
    to.push(j)
    weight.push(w)
  }
  for (let i = 0; i < n; i++)
    for (let e = i * k; e < (i + 1) * k; e++) {
      const j = rows[e]
      const other = back(i, j)
      if (other < 0) add(j, i, directed[e])
      add(i, j, directed[e] + Math.max(0, other) - directed[e] * Math.max(0, other))
    }
  return { from: Int32Array.from(from), to: Int32Array.from(to), weight: Float64Array.from(weight) }
}

/** Directed weights [n, k]: sigma_i is such that those of a point sum to log2 of the number of neighbours, itself counted. */
function memberships({ n, k, distances }: NeighbourDistances): Float64Array {
  const weights = new Float64Array(n * k)
  const target = Math.log2(k + 1)
  const mean = distances.reduce((sum, d) => sum + d, 0) / Math.max(1, n * (k + 1))
  for (let i = 0; i < n; i++) {
    const own = distances.subarray(i * k, (i + 1) * k)
    const rho = own.find((d) => d > 0) ?? 0
    const ownMean = own.reduce((sum, d) => sum + d, 0) / (k + 1)
    const sigma = Math.max(widthOf(own, rho, target), 1e-3 * (rho > 0 ? ownMean : mean))
    for (let e = 0; e < k; e++) weights[i * k + e] = own[e] <= rho ? 1 : Math.exp((rho - own[e]) / sigma)
  }
  return weights
}

/** sigma by bisection */
function widthOf(distances: Float32Array, rho: number, target: number): number {
  let [low, high, sigma] = [0, Number.POSITIVE_INFINITY, 1]
  for (let step = 0; step < 64; step++) {
    let sum = 0
    for (const d of distances) sum += d <= rho ? 1 : Math.exp((rho - d) / sigma)
    if (Math.abs(sum - target) < 1e-5) break
    if (sum > target) high = sigma
    else low = sigma
    sigma = high === Number.POSITIVE_INFINITY ? 2 * sigma : (low + high) / 2
  }
  return sigma
}

/**
 * a and b of 1 / (1 + a x^(2b)), the smooth curve closest to 1 up to minDist and exp(minDist - x) from there on (section 3.2):
 * least squares by Gauss-Newton, halving steps that make it worse.
 */
export function fitCurve(minDist: number): { a: number; b: number } {
  const points = Array.from({ length: 299 }, (_, i) => {
    const x = (3 * (i + 1)) / 299
    return { x, y: x < minDist ? 1 : Math.exp(minDist - x) }
  })
  const errorOf = (a: number, b: number) =>
    points.reduce((sum, { x, y }) => sum + (1 / (1 + a * x ** (2 * b)) - y) ** 2, 0)
  let [a, b] = [1, 1]
  for (let step = 0; step < 100; step++) {
    let [aa, ab, bb, ar, br] = [0, 0, 0, 0, 0]
    for (const { x, y } of points) {
      const power = x ** (2 * b)
      const value = 1 / (1 + a * power)
      const da = -power * value * value
      const db = da * a * 2 * Math.log(x)
      aa += da * da
      ab += da * db
      bb += db * db
      ar += da * (value - y)
      br += db * (value - y)
    }
    const determinant = aa * bb - ab * ab
    let [stepA, stepB] = [(bb * ar - ab * br) / determinant, (aa * br - ab * ar) / determinant]
    const before = errorOf(a, b)
    for (let half = 0; half < 30 && !(errorOf(a - stepA, b - stepB) <= before); half++) {
      stepA /= 2
      stepB /= 2
    }
    if (!(errorOf(a - stepA, b - stepB) <= before)) break
    a -= stepA
    b -= stepB
    if (Math.abs(stepA) + Math.abs(stepB) < 1e-9) break
  }
  return { a, b }
}

/** When each edge is drawn: in each epoch with a chance of its weight, kept by counting. */
interface Schedule {
  /** epochs between two draws; infinite for edges too light to be drawn at all */
  every: Float64Array
  next: Float64Array
  nextNegative: Float64Array
}

const negatives = 5

function createSchedule(weights: Float64Array, epochs: number): Schedule {
  const largest = weights.reduce((max, w) => Math.max(max, w), 0)
  const every = weights.map((w) => (w < largest / epochs ? Number.POSITIVE_INFINITY : largest / w))
  return { every, next: every.slice(), nextNegative: every.map((e) => e / negatives) }
}

/** What one epoch needs besides the graph. */
interface Epoch {
  a: number
  b: number
  epoch: number
  /** falls from 1 to 0 */
  rate: number
  random: Random
}

/** One epoch of stochastic gradient descent: each edge that is due pulls its ends together and pushes its first from random points. */
function moveAll(
  places: Float64Array,
  dimensions: number,
  { from, to }: FuzzyGraph,
  { every, next, nextNegative }: Schedule,
  { a, b, epoch, rate, random }: Epoch,
): void {
  const n = places.length / dimensions
  for (let e = 0; e < from.length; e++) {
    if (next[e] > epoch) continue
    const own = from[e] * dimensions
    pull(places, own, to[e] * dimensions, dimensions, a, b, rate)
    next[e] += every[e]
    const pushes = Math.floor(((epoch - nextNegative[e]) * negatives) / every[e])
    for (let p = 0; p < pushes; p++) {
      const other = random.int(n) * dimensions
      if (other !== own) push(places, own, other, dimensions, a, b, rate)
    }
    nextNegative[e] += (pushes * every[e]) / negatives
  }
}

/** Gradient of the attraction, clipped to 4 a coordinate; both ends move. */
function pull(
  places: Float64Array,
  i: number,
  j: number,
  dimensions: number,
  a: number,
  b: number,
  rate: number,
) {
  const squared = squaredDistance(places, i, j, dimensions)
  if (squared === 0) return
  const power = powerOf(squared, b)
  const factor = (-2 * a * b * power) / squared / (1 + a * power)
  for (let d = 0; d < dimensions; d++) {
    const step = rate * Math.max(-4, Math.min(4, factor * (places[i + d] - places[j + d])))
    places[i + d] += step
    places[j + d] -= step
  }
}

/** Gradient of the repulsion, clipped to 4 a coordinate; the first point moves. */
function push(
  places: Float64Array,
  i: number,
  j: number,
  dimensions: number,
  a: number,
  b: number,
  rate: number,
) {
  const squared = squaredDistance(places, i, j, dimensions)
  const factor = (2 * b) / ((0.001 + squared) * (1 + a * powerOf(squared, b)))
  for (let d = 0; d < dimensions; d++) {
    const step = squared > 0 ? Math.max(-4, Math.min(4, factor * (places[i + d] - places[j + d]))) : 4
    places[i + d] += rate * step
  }
}

/** x^b for x >= 0: nearly all of the time goes here, and this takes half of what Math.pow does. */
const powerOf = (x: number, b: number): number => Math.exp(b * Math.log(x))

function squaredDistance(places: Float64Array, i: number, j: number, dimensions: number): number {
  let sum = 0
  for (let d = 0; d < dimensions; d++) sum += (places[i + d] - places[j + d]) ** 2
  return sum
}
