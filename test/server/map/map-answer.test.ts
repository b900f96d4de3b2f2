import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { readMapRows } from '../../../src/features/feature-map.js'
import { clustersOf } from '../../../src/server/map/cluster-names.js'
import type { MapColumns } from '../../../src/server/map/map-columns.js'
import { type ErrorBody, type FeatureMap, mapSchema } from '../../../src/server/protocol.js'
import { everything, smallRun, sparseArrays } from '../../small-run.js'
import { runApp } from '../run-app.js'

test('the map has a column entry for each feature that is on it, and its clusters', async (t) => {
  const { root, paths } = await smallRun(t, { arrays: sparseArrays(), extras: everything })
  const { read, get, run } = await runApp(t, root)
  const map = (await read('/map')) as FeatureMap
  assert.deepEqual(mapSchema.parse(map), map)
  const rows = (await readMapRows(join(root, 'feature-map'), paths.features)).filter(({ x }) => x !== null)
  assert.deepEqual(
    map.feature,
    rows.map(({ feature }) => feature),
  )
  assert.deepEqual(
    map.cluster,
    rows.map(({ cluster }) => cluster),
  )
  rows.forEach(({ feature, x, y }, i) => {
    assert.ok(Math.abs(map.x[i] - (x as number)) < 1e-3 && Math.abs(map.y[i] - (y as number)) < 1e-3)
    assert.equal(map.score[i], feature % 2 === 0 ? feature / 8 : null)
  })
  assert.equal(
    map.clusters.reduce((sum, { size }) => sum + size, 0),
    rows.length,
  )
  assert.match(map.clusters[0].name, /greeting number/)
  const etag = (await get('/map')).headers.get('etag') ?? ''
  assert.equal((await get('/map', { 'if-none-match': etag })).status, 304)
  await run.notes.put(map.feature[0], { label: 'my own', note: null })
  const after = (await read('/map')) as FeatureMap
  assert.ok(after.clusters.some(({ name }) => name === 'my own'))
})

test('without a map it is said how to make one', async (t) => {
  const { root } = await smallRun(t)
  const answer = await (await runApp(t, root)).get('/map')
  assert.equal(answer.status, 404)
  const { error } = (await answer.json()) as ErrorBody
  assert.equal(error.code, 'missing')
  assert.match(error.hint ?? '', /monosem features map/)
})

const map: MapColumns = {
  x: Float64Array.of(0, 1, 2, 9, 50, 51, Number.NaN),
  y: Float64Array.of(0, 0, 0, 0, 7, 9, Number.NaN),
  order: Int32Array.of(0, 1, 2, 3, 4, 5, -1),
  cluster: Int32Array.of(0, 0, 0, 0, 1, 1, -1),
}

test('a cluster is called by the best explanation near its centre, and lies at the median of its features', async () => {
  const names = [
    { name: 'low', named: 'explanation', score: 0.2 },
    undefined,
    { name: 'high', named: 'explanation', score: 0.9 },
    { name: 'middle', named: 'explanation', score: 0.5 },
  ] as const
  const [first, second] = await clustersOf(map, names, (feature) => (feature === 4 ? ['a', 'b'] : ['b']))
  assert.deepEqual(first, { cluster: 0, size: 4, name: 'high', x: 1.5, y: 0 })
  assert.deepEqual(second, { cluster: 1, size: 2, name: '‘b’, ‘a’', x: 50.5, y: 8 })
})

test('a long name is cut between characters', async () => {
  const name = `${'é'.normalize('NFD').repeat(40)}`
  const [{ name: cut }] = await clustersOf(map, [{ name, named: 'label', score: null }], () => [])
  assert.ok(cut.length <= 61, cut)
  assert.match(cut.normalize('NFC'), /^é+…$/)
})
