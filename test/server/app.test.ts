import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { ServedRun } from '../../src/server/served-run.js'
import { storedAnswer } from '../../src/server/stored-answer.js'
import { fakeApp, notesPath, put } from './fake-app.js'

const gzip = { headers: { 'accept-encoding': 'gzip, deflate, br' } }
const bytesOf = async (answer: Response): Promise<Buffer> => Buffer.from(await answer.arrayBuffer())

test('hashed files are kept for ever and compressed once; pages are asked for again', async (t) => {
  const { app } = await fakeApp(t)
  const script = await app.request('/assets/index-1234.js', gzip)
  assert.equal(script.headers.get('content-encoding'), 'gzip')
  assert.equal(script.headers.get('vary'), 'accept-encoding')
  assert.match(script.headers.get('cache-control') ?? '', /immutable/)
  assert.match(gunzipSync(await bytesOf(script)).toString(), /^console\.log\(1\)/)
  const plain = await app.request('/assets/index-1234.js')
  assert.equal(plain.headers.get('content-encoding'), null)
  assert.match(await plain.text(), /^console\.log\(1\)/)

  for (const path of ['/', '/demo/features/3', '/api']) {
    const page = await app.request(path)
    assert.equal(page.headers.get('cache-control'), 'no-cache')
    assert.match(await page.text(), /<head><base href="\/">.*the app/)
    const etag = page.headers.get('etag') ?? ''
    const again = await app.request(path, { headers: { 'if-none-match': etag } })
    assert.deepEqual([again.status, await again.text()], [304, ''])
  }
})

test('a file of an earlier build is gone, and not a page', async (t) => {
  const { app } = await fakeApp(t)
  assert.equal((await app.request('/assets/index-0000.js')).status, 404)
})

test('answers of the API are compressed where they are long', async (t) => {
  const list = { total: 0, offset: 0, items: Array(500).fill({}) }
  const index = {
    index: { answer: () => storedAnswer(JSON.stringify(list)) },
  } as unknown as Partial<ServedRun>
  const { app } = await fakeApp(t, {}, index)
  const long = await app.request('/api/v1/runs/demo/features', gzip)
  assert.equal(long.headers.get('content-encoding'), 'gzip')
  assert.deepEqual(JSON.parse(gunzipSync(await bytesOf(long)).toString()), list)
})

test('mistakes are answered with what was expected, as JSON', async (t) => {
  const { app } = await fakeApp(t)
  const errorOf = async (path: string, request?: RequestInit) => {
    const answer = await app.request(path, request)
    return `${answer.status} ${JSON.stringify(await answer.json())}`
  }
  assert.match(await errorOf('/api/v1/nothing'), /^404 .*"missing".*no such address: \/api\/v1\/nothing/)
  assert.match(await errorOf('/api/v2/runs'), /^404 .*no such address/)
  assert.match(await errorOf('/api/v1/runs/other/features'), /^404 .*no run called other.*shows demo/)
  assert.match(await errorOf('/api/v1/runs/demo/features?limit=many'), /^400 .*"config".*limit: .*number/)
  assert.match(await errorOf('/api/v1/runs/demo/features/x'), /^400 .*feature: /)
  assert.match(await errorOf(notesPath, put({}, '{"label":')), /^400 .*"config".*JSON/)
  assert.match(await errorOf(notesPath, put({}, '{"label":1,"note":null}')), /^400 .*label: .*string/)
})
