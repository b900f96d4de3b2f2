import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UMAP } from 'umap-js'
import { fitCurve, fuzzyGraph, type NeighbourDistances, umap } from '../../src/features/umap.js'
import { Random } from '../../src/random/random.js'

/** The nearest others of points [n, d] by Euclidean distance. */
function nearest(points: number[][], k: number): NeighbourDistances {
  const n = points.length
  const all = points.map((point, i) =>
    points
      .map((other, j) => ({ j, distance: Math.hypot(...point.map((x, d) => x - other[d])) }))
      .filter(({ j }) => j !== i)
      .sort((a, b) => a.distance - b.distance || a.j - b.j)
      .slice(0, k),
  )
  return {
    n,
    k,
    rows: Int32Array.from(all.flat(), ({ j }) => j),
    distances: Float32Array.from(all.flat(), ({ distance }) => distance),
  }
}

const random = Random.named(1, 'points')
const cloud = Array.from({ length: 80 }, () => [random.normal(), random.normal(), random.normal()])
/** some points more than once, so that there are distances of 0 */
const points = [...cloud, ...cloud.slice(0, 5), ...cloud.slice(0, 5)]

test('the fuzzy graph is that of umap-js', () => {
  const { n, k, rows, distances } = nearest(points, 9)
  const other = new UMAP({ nNeighbors: k + 1 })
  const own = (list: Int32Array | Float32Array, i: number) => Array.from(list.subarray(i * k, (i + 1) * k))
  other.setPrecomputedKNN(
    points.map((_, i) => [i, ...own(rows, i)]),
    points.map((_, i) => [0, ...own(distances, i)]),
  )
  other.initializeFit(points)
  type Entry = { row: number; col: number; value: number }
  const { graph } = other as unknown as { graph: { getAll(): Entry[] } }
  const expected = graph.getAll().filter(({ value }) => value > 0)
  const found = fuzzyGraph({ n, k, rows, distances })
  const weights = new Map(Array.from(found.weight, (w, e) => [`${found.from[e]} ${found.to[e]}`, w]))
  assert.equal(found.weight.length, expected.length)
  for (const { row, col, value } of expected)
    assert.ok(Math.abs((weights.get(`${row} ${col}`) ?? -1) - value) < 1e-9, `${row} ${col}`)
})

test('the curve has the parameters that umap-learn finds', () => {
  // find_ab_params(1.0, min_dist) of umap-learn
  for (const [minDist, a, b] of [
    [0.1, 1.57694, 0.89506],
    [0.5, 0.58303, 1.33417],
  ]) {
    const fitted = fitCurve(minDist)
    assert.ok(Math.abs(fitted.a - a) < 1e-4 && Math.abs(fitted.b - b) < 1e-4, JSON.stringify(fitted))
  }
  for (const minDist of [0, 1]) assert.ok(Object.values(fitCurve(minDist)).every(Number.isFinite))
})

test('a ring of points becomes a curve on which neighbours stay neighbours', () => {
  const ring = Array.from({ length: 60 }, (_, i) => [
    Math.cos((i * Math.PI) / 30),
    Math.sin((i * Math.PI) / 30),
  ])
  const places = umap(nearest(ring, 6), { dimensions: 2, minDist: 0.05, random: Random.named(0, 'ring') })
  const found = nearest(
    ring.map((_, i) => [places[2 * i], places[2 * i + 1]]),
    6,
  )
  let kept = 0
  for (let i = 0; i < 60; i++)
    for (const j of found.rows.subarray(6 * i, 6 * i + 6))
      if (Math.min((i - j + 60) % 60, (j - i + 60) % 60) <= 3) kept++
  assert.ok(kept / 360 > 0.8, `${kept} of 360 kept`)
})

test('the same seed gives the same places, and equal points do no harm', () => {
  const neighbours = nearest(Array(12).fill([1, 2]), 5)
  const run = (seed: number) =>
    umap(neighbours, { dimensions: 1, minDist: 0.05, epochs: 20, random: Random.named(seed, 'equal') })
  assert.deepEqual(run(3), run(3))
  assert.notDeepEqual(run(3), run(4))
  assert.ok(run(3).every(Number.isFinite))
})
