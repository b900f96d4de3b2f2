/**
 * The point with the least sum of distances to the rows of `points`, by Weiszfeld's iteration with the correction of Vardi &
 * Zhang (2000, "The multivariate L1-median and associated data depth", eqs. 2.4 to 2.6), which also works when the
 * iterate lands on a point, or when points coincide.
 *
 * @param points [n, d] row-major, n >= 1
 * @param d width of a row
 * @param tolerance stop when a step is shorter than this share of the median distance to the points
 * @returns [d]
 */
export function geometricMedian(
  points: Float32Array,
  d: number,
  { iterations = 100, tolerance = 1e-6 }: { iterations?: number; tolerance?: number } = {},
): Float32Array {
  const n = points.length / d
  let median = mean(points, d)
  for (let iteration = 0; iteration < iterations; iteration++) {
    const { next, typical } = step(points, n, d, median)
    let moved = 0
    for (let i = 0; i < d; i++) moved += (next[i] - median[i]) ** 2
    median = next
    if (Math.sqrt(moved) <= tolerance * typical) break
  }
  return Float32Array.from(median)
}

/** Points closer than this share of the median distance count as the iterate itself: their weight would drown all others. */
const tieShare = 1e-6

/** One iteration from y: the mean weighted by 1 / distance over the other points, pulled back by those that y lies on. */
function step(
  points: Float32Array,
  n: number,
  d: number,
  y: Float64Array,
): { next: Float64Array; typical: number } {
  const distances = distancesTo(points, n, d, y)
  const typical = distances.slice().sort()[n >> 1]
  const weighted = new Float64Array(d)
  let weights = 0
  let ties = 0
  for (let row = 0; row < n; row++) {
    if (distances[row] <= tieShare * typical) {
      ties++
      continue
    }
    const weight = 1 / distances[row]
    for (let i = 0; i < d; i++) weighted[i] += weight * points[row * d + i]
    weights += weight
  }
  if (weights === 0) return { next: y, typical }
  const next = weighted.map((value) => value / weights)
  if (ties > 0) pullBack(next, y, weights, ties)
  return { next, typical }
}

function distancesTo(points: Float32Array, n: number, d: number, y: Float64Array): Float64Array {
  const distances = new Float64Array(n)
  for (let row = 0; row < n; row++) {
    let squared = 0
    for (let i = 0; i < d; i++) squared += (points[row * d + i] - y[i]) ** 2
    distances[row] = Math.sqrt(squared)
  }
  return distances
}

/** next = (1 - gamma) next + gamma y, where gamma = min(1, ties / length of the summed unit vectors from y to the others). */
function pullBack(next: Float64Array, y: Float64Array, weights: number, ties: number): void {
  let squared = 0
  for (let i = 0; i < y.length; i++) squared += (weights * (next[i] - y[i])) ** 2
  const gamma = squared === 0 ? 1 : Math.min(1, ties / Math.sqrt(squared))
  for (let i = 0; i < y.length; i++) next[i] = (1 - gamma) * next[i] + gamma * y[i]
}

function mean(points: Float32Array, d: number): Float64Array {
  const sums = new Float64Array(d)
  for (let i = 0; i < points.length; i++) sums[i % d] += points[i]
  return sums.map((sum) => sum / (points.length / d))
}
