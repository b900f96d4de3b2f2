import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type ErrorBody,
  type FeatureList,
  type FeatureNames,
  type FeaturePage,
  featureListSchema,
} from '../../../src/server/protocol.js'
import { everything, features, smallFeatures, smallRun, sparseArrays } from '../../small-run.js'
import { runApp } from '../run-app.js'

test('the list shows what the pages show: figures, tokens, name, place and a line of the strongest example', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays(), extras: everything })
  const { read } = await runApp(t, root)
  const list = (await read('/features?sort=id')) as FeatureList
  assert.deepEqual(featureListSchema.parse(list), list)
  assert.equal(list.total, smallFeatures)
  for (const [i, item] of list.items.entries()) {
    const page = (await read(`/features/${i}`)) as FeaturePage
    assert.equal(item.feature, i)
    for (const key of ['density', 'max', 'mean', 'singleToken'] as const) assert.equal(item[key], page[key])
    assert.equal(item.cluster, page.place?.cluster ?? null)
    assert.deepEqual(
      item.tokens,
      page.tokens.slice(0, 5).map(({ token }) => token),
    )
    assert.equal(item.name, i % 2 === 0 ? `greeting number ${i}` : null)
    assert.equal(item.score, i % 2 === 0 ? i / smallFeatures : null)
    const [strongest] = page.examples
    if (!strongest) assert.equal(item.example, null)
    else {
      assert.ok(item.example && item.example.segments.length <= 16)
      assert.ok(strongest.segments.join('').includes(item.example.segments.join('')))
      assert.equal(item.example.segments[item.example.focus], strongest.segments[strongest.focus])
      assert.equal(item.example.activation, strongest.activation)
      assert.equal(item.example.activations[item.example.focus], strongest.activations[strongest.focus])
    }
  }
})

test('pages of the list follow one another, whatever their size', async (t) => {
  const { root } = await smallRun(t, { extras: [] })
  const { read } = await runApp(t, root)
  const all = (await read('/features?sort=max&limit=500')) as FeatureList
  const joined: number[] = []
  for (let offset = 0; offset < features; offset += 7) {
    const { items, total } = (await read(`/features?sort=max&limit=7&offset=${offset}`)) as FeatureList
    assert.equal(total, features)
    joined.push(...items.map(({ feature }) => feature))
  }
  assert.deepEqual(
    joined,
    all.items.map(({ feature }) => feature),
  )
  assert.deepEqual(((await read(`/features?offset=${features}`)) as FeatureList).items, [])
})

test('a search finds explanations, tokens and numbers; sorting and filters hold for it too', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays(), extras: everything })
  const { read } = await runApp(t, root)
  const found = async (query: string) =>
    ((await read(`/features?${query}`)) as FeatureList).items.map(({ feature }) => feature)
  assert.deepEqual(await found('q=greeting&sort=id'), [0, 2, 4, 6])
  assert.deepEqual(await found('q=greeting&sort=score'), [6, 4, 2, 0])
  assert.deepEqual(await found('q=greeting&sort=id&minScore=0.5'), [4, 6])
  assert.deepEqual(await found('q=greeting&in=token'), [])
  assert.equal((await found('q=3'))[0], 3)
  const { items } = (await read('/features?sort=max&limit=1')) as FeatureList
  const [{ feature, tokens }] = items
  assert.ok((await found(`q=${encodeURIComponent(tokens[0])}&in=token`)).includes(feature))
})

test('a label is found and shown as soon as it is there, and the explanation still leads to the feature', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays(), extras: everything })
  const { read, run, get } = await runApp(t, root)
  const found = async (query: string) =>
    ((await read(`/features?${query}`)) as FeatureList).items.map(({ feature }) => feature)
  assert.deepEqual(await found('q=praise'), [])
  const etag = (await get('/features')).headers.get('etag') ?? ''
  assert.equal((await get('/features', { 'if-none-match': etag })).status, 304)
  await run.notes.put(2, { label: 'words of praise', note: null })
  assert.deepEqual(await found('q=praise'), [2])
  assert.deepEqual(await found('q=number&sort=id'), [0, 2, 4, 6])
  assert.deepEqual(await found('labelled=true'), [2])
  assert.equal((await get('/features', { 'if-none-match': etag })).status, 200)
  const { names } = (await read('/features/names?ids=2,1,0')) as FeatureNames
  assert.deepEqual(names, [
    { feature: 2, name: 'words of praise' },
    { feature: 1, name: null },
    { feature: 0, name: 'greeting number 0' },
  ])
})

test('names of too many features, of none and of such that are not there are refused', async (t) => {
  const { root } = await smallRun(t)
  const { get } = await runApp(t, root)
  const status = async (ids: string) => (await get(`/features/names?ids=${ids}`)).status
  assert.equal(await status('0,1'), 200)
  for (const ids of ['', 'x', '1,', '-1', Array(501).fill('1').join()])
    assert.equal(await status(ids), 400, ids)
  assert.equal(await status(`0,${features}`), 404)
})

test('a query that makes no sense is refused and names the parameter', async (t) => {
  const { root } = await smallRun(t)
  const { get } = await runApp(t, root)
  for (const [query, name] of [
    ['limit=0', 'limit'],
    ['sort=beauty', 'sort'],
    ['minDensity=x', 'minDensity'],
    ['labelled=1', 'labelled'],
    [`q=${'x'.repeat(201)}`, 'q'],
  ]) {
    const answer = await get(`/features?${query}`)
    assert.equal(answer.status, 400)
    assert.match(((await answer.json()) as ErrorBody).error.message, new RegExp(`^${name}`))
  }
})
