import assert from 'node:assert/strict'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { readEffects } from '../../../src/features/ablation-stage.js'
import { readMapRows, runMapStage } from '../../../src/features/feature-map.js'
import { openFeatureStore } from '../../../src/features/feature-store.js'
import { mapConfigSchema } from '../../../src/features/map-config.js'
import { runFeaturePagesStage } from '../../../src/server/pages/feature-pages-stage.js'
import { type ErrorBody, type FeaturePage, featurePageSchema } from '../../../src/server/protocol.js'
import { context, everything, smallFeatures, smallRun, sparseArrays } from '../../small-run.js'
import { runApp } from '../run-app.js'

const ids = Array.from({ length: smallFeatures }, (_, i) => i)
const gzip = { 'accept-encoding': 'gzip' }

async function fullRun(t: TestContext) {
  const { root, paths } = await smallRun(t, { arrays: sparseArrays(), extras: everything })
  return { root, paths, pages: join(root, 'feature-pages') }
}

test('pages from the archive are those made from the tables, byte for byte, in every encoding', async (t) => {
  const { root } = await fullRun(t)
  const made = await runApp(t, root)
  assert.equal(made.run.pages.ready, false)
  const { reused } = await runFeaturePagesStage(root, context)
  assert.equal(reused, false)
  assert.equal((await runFeaturePagesStage(root, context)).reused, true)
  const stored = await runApp(t, root)
  assert.equal(stored.run.pages.ready, true)
  assert.deepEqual(stored.run.warnings, [])
  for (const id of ids) {
    const [one, other] = [await made.get(`/features/${id}`), await stored.get(`/features/${id}`)]
    const text = await one.text()
    assert.equal(await other.text(), text)
    assert.equal(one.headers.get('etag'), other.headers.get('etag'))
    const packed = await stored.get(`/features/${id}`, gzip)
    assert.equal(packed.headers.get('content-encoding'), 'gzip')
    assert.equal(gunzipSync(Buffer.from(await packed.arrayBuffer())).toString(), text)
    assert.deepEqual(featurePageSchema.parse(JSON.parse(text)), JSON.parse(text))
  }
})

test('a page holds place and neighbours from the map, and effects of ablation on its examples', async (t) => {
  const { root, paths } = await fullRun(t)
  const { read } = await runApp(t, root)
  const store = await openFeatureStore(paths.features)
  t.after(() => store.close())
  const places = await readMapRows(join(root, 'feature-map'), paths.features)
  const effects = await readEffects(join(root, 'ablation'), paths.features, ids)
  let measured = 0
  for (const id of ids) {
    const page = (await read(`/features/${id}`)) as FeaturePage
    const { x, y, order, cluster, neighbours } = places[id]
    assert.deepEqual(page.neighbours, neighbours)
    assert.deepEqual(page.place, x === null ? null : { x, y, order, cluster })
    const detail = await store.get(id)
    const examples = [...detail.top, ...detail.intervals]
    assert.equal(page.examples.length, examples.length)
    page.examples.forEach((shown, i) => {
      const { interval, rank } = examples[i]
      const effect = effects.get(id)?.find((one) => one.interval === interval && one.rank === rank)
      assert.equal(shown.effects === null, effect === undefined)
      if (!effect) return
      measured++
      assert.equal(shown.effects?.length, shown.segments.length)
      const sum = (values: (number | null)[]) =>
        values.reduce((total: number, value) => total + (value ?? 0), 0)
      if (!effect.effects.includes(null))
        assert.ok(Math.abs(sum(shown.effects ?? []) - sum(effect.effects)) < 1e-2)
    })
  }
  assert.ok(measured > 10, `${measured} examples with effects`)
  assert.equal(places[smallFeatures - 1].x, null, 'the dead feature is on no map')
})

test('a page is sent once: asked for again with its ETag, nothing has changed', async (t) => {
  const { root } = await fullRun(t)
  const { get } = await runApp(t, root)
  const first = await get('/features/1', gzip)
  const etag = first.headers.get('etag') ?? ''
  assert.match(etag, /^"[\w-]{22}\.gz"$/)
  assert.equal(first.headers.get('cache-control'), 'no-cache')
  assert.match(first.headers.get('vary') ?? '', /accept-encoding/i)
  for (const known of [etag, `"x", ${etag}`, `W/${etag}`, etag.replace('.gz', ''), '*']) {
    const again = await get('/features/1', { ...gzip, 'if-none-match': known })
    assert.equal(again.status, 304, known)
    assert.equal(await again.text(), '')
    assert.equal(again.headers.get('etag'), etag)
  }
  assert.equal((await get('/features/2', { ...gzip, 'if-none-match': etag })).status, 200)
  const plain = await get('/features/1', { 'accept-encoding': 'gzip;q=0' })
  assert.equal(plain.headers.get('content-encoding'), null)
  assert.notEqual(plain.headers.get('etag'), etag)
})

test('a feature that is not there is a 404 which says what is', async (t) => {
  const { root } = await fullRun(t)
  await runFeaturePagesStage(root, context)
  const { get } = await runApp(t, root)
  for (const id of [smallFeatures, 1e9]) {
    const answer = await get(`/features/${id}`)
    assert.equal(answer.status, 404)
    const { error } = (await answer.json()) as ErrorBody
    assert.equal(error.code, 'missing')
    assert.match(error.message, new RegExp(`feature ${id}: expected .* 0 to ${smallFeatures - 1}`))
  }
  for (const id of ['-1', '1.5', 'x']) assert.equal((await get(`/features/${id}`)).status, 400)
})

test('an archive made before the map, or from another one, is not used, and it is said why', async (t) => {
  const { root, paths } = await fullRun(t)
  const map = join(root, 'feature-map')
  await rm(map, { recursive: true })
  await runFeaturePagesStage(root, context)
  assert.equal((await runApp(t, root)).run.pages.ready, true)
  const remake = (seed: number) =>
    runMapStage(
      mapConfigSchema.parse({ neighbours: 4, seed }),
      { sae: paths.sae, features: paths.features, out: map },
      context,
    )
  await remake(0)
  const before = await runApp(t, root)
  assert.equal(before.run.pages.ready, false)
  assert.match(before.run.warnings.join(), /feature-pages was made before there was a feature-map/)
  const page = (await before.read('/features/0')) as FeaturePage
  assert.notEqual(page.place, null)
  await rm(join(root, 'feature-pages'), { recursive: true })
  await runFeaturePagesStage(root, context)
  await rm(map, { recursive: true })
  assert.match((await runApp(t, root)).run.warnings.join(), /was made with a feature-map that is not there/)
  await remake(1)
  const other = await runApp(t, root)
  assert.equal(other.run.pages.ready, false)
  assert.match(other.run.warnings.join(), /feature-pages was not made from the feature-map/)
})

test('a map of other features is not shown, and it is said why', async (t) => {
  const [one, other] = [await fullRun(t), await smallRun(t, { extras: ['feature-map'] })]
  await rm(join(one.root, 'feature-map'), { recursive: true })
  await cp(join(other.root, 'feature-map'), join(one.root, 'feature-map'), { recursive: true })
  const { run, get } = await runApp(t, one.root)
  assert.equal(run.info.has.map, false)
  assert.match(run.warnings.join(), /feature-map was not made from the features/)
  assert.equal((await get('/map')).status, 404)
})

test('a damaged page is an error, and never a wrong page; the others are shown', async (t) => {
  const { root, pages } = await fullRun(t)
  await runFeaturePagesStage(root, context)
  const file = join(pages, 'pages-0000.bin')
  const bytes = await readFile(file)
  bytes[100] ^= 1
  await writeFile(file, bytes.subarray(0, bytes.length - 1))
  const { get } = await runApp(t, root)
  for (const id of ids) {
    const answer = await get(`/features/${id}`)
    const damaged = id === 0 || id === smallFeatures - 1
    assert.equal(answer.status, damaged ? 500 : 200)
    const body = (await answer.json()) as ErrorBody
    if (damaged) assert.equal(body.error.code, 'corrupt')
  }
  await writeFile(join(pages, 'index.bin'), 'x')
  await assert.rejects(runApp(t, root), { code: 'corrupt' })
})

test('making pages can be interrupted, and leaves nothing half done', async (t) => {
  const { root } = await fullRun(t)
  const signal = AbortSignal.abort()
  await assert.rejects(runFeaturePagesStage(root, { ...context, signal }), { code: 'interrupted' })
  assert.equal((await runApp(t, root)).run.pages.ready, false)
})
