import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readFeatureMap, runMapStage } from '../../src/features/feature-map.js'
import { mapConfigSchema } from '../../src/features/map-config.js'
import { mapInWorker } from '../../src/features/map-in-worker.js'
import { layoutMap } from '../../src/features/map-layout.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { silentProgress } from '../../src/progress/progress.js'
import { Random } from '../../src/random/random.js'
import { decoderNeighbours } from '../../src/sae/decoder-neighbours.js'
import { randomArrays, silentArrays } from '../eval/tiny-sae.js'
import { context, features, hookName, smallRun, writeSae } from '../small-run.js'

const kernels = createReferenceKernels()
const options = { minDist: 0.05, resolution: 1, seed: 0 }

/** Directions around three axes, 30, 20 and 10 of them, mixed up. */
async function threeGroups() {
  const random = Random.named(3, 'groups')
  const group = random.shuffle([...Array(30).fill(0), ...Array(20).fill(1), ...Array(10).fill(2)] as number[])
  const rows = group.flatMap((axis) =>
    Array.from({ length: 6 }, (_, i) => (i === axis ? 1 : 0) + 0.1 * random.normal()),
  )
  const found = await decoderNeighbours(kernels, kernels.tensor(Float32Array.from(rows), [60, 6]), 8)
  return { group, found }
}

test('clusters are the groups of alike directions, numbered from the largest', async () => {
  const { group, found } = await threeGroups()
  const { cluster, clusters } = layoutMap(found, 60, { ...options, resolution: 0.5 })
  const finer = layoutMap(found, 60, { ...options, resolution: 4 })
  assert.ok(finer.clusters > 3)
  assert.equal(clusters, 3)
  assert.deepEqual(Array.from(cluster), group)
})

test('alike directions are close on the map and in the list', async () => {
  const { group, found } = await threeGroups()
  const { x, y, order } = layoutMap(found, 60, options)
  const distance = (i: number, j: number) => Math.hypot(x[i] - x[j], y[i] - y[j])
  for (let i = 0; i < 60; i++) {
    const others = group.map((_, j) => j).filter((j) => j !== i)
    const nearest = others.sort((a, b) => distance(i, a) - distance(i, b)).slice(0, 5)
    assert.ok(nearest.every((j) => group[j] === group[i]))
  }
  assert.deepEqual(
    Array.from(order).sort((a, b) => a - b),
    group.map((_, i) => i),
  )
  const list: number[] = []
  order.forEach((rank, i) => {
    list[rank] = group[i]
  })
  const changes = list.filter((own, i) => i > 0 && own !== list[i - 1]).length
  assert.ok(changes <= 6, `the list changes its group ${changes} times`)
})

test('the same seed gives the same layout, in the worker too, and another seed another map', async () => {
  const { found } = await threeGroups()
  const expected = layoutMap(found, 60, options)
  assert.deepEqual(await mapInWorker({ neighbours: found, n: 60, options }, context), expected)
  assert.notDeepEqual(layoutMap(found, 60, { ...options, seed: 1 }).x, expected.x)
})

test('a handful of features, or none, have places too', async () => {
  for (const n of [0, 1, 2, 3, 4, 5]) {
    const rows = Float32Array.from({ length: Math.max(1, n) * 2 }, (_, i) => Math.cos(i * i))
    const found = await decoderNeighbours(kernels, kernels.tensor(rows, [Math.max(1, n), 2]), 15)
    const { x, y, order, cluster } = layoutMap(found, n, options)
    assert.deepEqual([x.length, y.length, order.length, cluster.length], [n, n, n, n])
    assert.ok([...x, ...y].every(Number.isFinite))
    assert.deepEqual([...order].sort(), [0, 1, 2, 3, 4].slice(0, n))
  }
})

test('a layout stops at once when it is interrupted', async () => {
  const { found } = await threeGroups()
  const controller = new AbortController()
  const progress = {
    ...silentProgress,
    start: () => {
      controller.abort()
      return { update: () => {}, end: () => {} }
    },
  }
  const layout = mapInWorker({ neighbours: found, n: 60, options }, { progress, signal: controller.signal })
  await assert.rejects(layout, { code: 'interrupted' })
})

test('the stage places the features that fired, and keeps dead ones out', async (t) => {
  const arrays = randomArrays(features, 12)
  arrays.bEnc.fill(-1e6, 5, 7)
  const { root, paths } = await smallRun(t, { arrays })
  const config = mapConfigSchema.parse({ neighbours: 4 })
  const out = join(root, 'map')
  await runMapStage(config, { ...paths, out }, context)
  const { summary, rows } = await readFeatureMap(out)
  assert.equal(summary.features, features)
  assert.equal(summary.hookName, hookName)
  assert.equal(summary.placed, rows.filter(({ x }) => x !== null).length)
  assert.ok(summary.placed > 5 && summary.placed <= features - 2, `${summary.placed} placed`)
  const dead = { x: null, y: null, order: null, cluster: null, neighbours: [] }
  for (const feature of [5, 6]) assert.deepEqual(rows[feature], { feature, ...dead })
  for (const row of rows.filter(({ x }) => x !== null)) {
    assert.equal(row.neighbours.length, 4)
    for (const { feature } of row.neighbours) assert.ok(rows[feature].x !== null && feature !== row.feature)
    const cosines = row.neighbours.map(({ cosine }) => cosine)
    assert.deepEqual(
      cosines,
      cosines.toSorted((a, b) => b - a),
    )
  }
  const largest = rows.filter(({ cluster }) => cluster === 0).length
  for (let id = 1; id < summary.clusters; id++)
    assert.ok(rows.filter(({ cluster }) => cluster === id).length <= largest)

  await t.test('the same seed gives the same bytes', async () => {
    await runMapStage(config, { ...paths, out: join(root, 'again') }, context)
    const [a, b] = await Promise.all(
      ['map', 'again'].map((name) => readFile(join(root, name, 'map.parquet'))),
    )
    assert.ok(a.equals(b))
  })

  await t.test('dead features are placed when asked for', async () => {
    const all = join(root, 'all')
    await runMapStage({ ...config, includeDead: true }, { ...paths, out: all }, context)
    assert.equal((await readFeatureMap(all)).summary.placed, features)
  })

  await t.test('features of another autoencoder are refused, and other directories', async () => {
    const sae = join(root, 'other-sae')
    await writeSae(sae, randomArrays(features, 12, 2))
    await assert.rejects(runMapStage(config, { ...paths, sae, out: join(root, 'x') }, context), {
      code: 'config',
      message: /was not made from the sae/,
    })
    const wrong = { ...paths, features: paths.sae, out: join(root, 'x') }
    await assert.rejects(runMapStage(config, wrong, context), { code: 'missing' })
    await assert.rejects(readFeatureMap(paths.features), { code: 'missing' })
  })
})

test('an autoencoder without a live feature has an empty map', async (t) => {
  const { root, paths } = await smallRun(t, { arrays: silentArrays(5, new Float32Array(12)) })
  const out = join(root, 'map')
  await runMapStage(mapConfigSchema.parse({}), { ...paths, out }, context)
  const { summary, rows } = await readFeatureMap(out)
  assert.deepEqual([summary.placed, summary.clusters], [0, 0])
  assert.ok(rows.every(({ x, cluster }) => x === null && cluster === null))
})
