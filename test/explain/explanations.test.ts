import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { MonosemError } from '../../src/errors/monosem-error.js'
import { type NewExplanation, openExplanations } from '../../src/explain/explanations.js'
import { explanationsFile } from '../../src/explain/explanations-file.js'
import { openDatabaseFile } from '../../src/formats/duckdb.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { killWriter } from './kill-writer.js'

async function directories(t: TestContext) {
  const root = await temporaryDirectory(t)
  const features = join(root, 'features')
  await mkdir(features)
  await writeFile(join(features, 'manifest.json'), '{}')
  return { features, out: join(root, 'explanations') }
}

const explanation = (feature: number, text: string, explainer = 'statistics'): NewExplanation => ({
  feature,
  text,
  explainer,
  configuration: explainer === 'user' ? null : 'c1',
  examples: 'e1',
  scores: [
    { scorer: 'spearman', value: 0.5, reason: null, n: 540, details: { pearson: 0.4 } },
    { scorer: 'detection', value: null, reason: 'the answer was cut off', n: 0, details: {} },
  ],
})

const code = (expected: string) => (error: unknown) =>
  error instanceof MonosemError && error.code === expected

test('several explainers and a person may explain one feature, and all is read back, newest first', async (t) => {
  const { out, features } = await directories(t)
  const store = await openExplanations(out, features)
  await store.append([explanation(3, 'Arabic script'), explanation(4, "it's “quoted”; DROP TABLE")])
  await store.append([explanation(3, 'my own label', 'user')])
  const again = await openExplanations(out, features)
  const found = await again.list({ feature: 3 })
  assert.deepEqual(
    found.map(({ text, explainer }) => [text, explainer]),
    [
      ['my own label', 'user'],
      ['Arabic script', 'statistics'],
    ],
  )
  const { id, created, ...rest } = found[1]
  assert.deepEqual(rest, explanation(3, 'Arabic script'))
  assert.equal(id, 1)
  assert.ok(Math.abs(Date.now() - Date.parse(created)) < 60_000)
  assert.equal((await again.list({ feature: 4 }))[0].text, "it's “quoted”; DROP TABLE")
})

test('explanations are found by words in any case, by explainer, and page by page', async (t) => {
  const { out, features } = await directories(t)
  const store = await openExplanations(out, features)
  await store.append(Array.from({ length: 10 }, (_, i) => explanation(i, `Digits in DATES ${i}`)))
  await store.append([explanation(5, 'digits', 'user')])
  const ids = async (query: Parameters<typeof store.list>[0]) =>
    (await store.list(query)).map(({ feature }) => feature)
  assert.deepEqual(await ids({ text: 'in dates', limit: 2, offset: 1 }), [8, 7])
  assert.deepEqual(await ids({ explainer: 'user' }), [5])
  assert.deepEqual(await ids({ text: '%' }), [])
  await assert.rejects(store.list({ limit: -1 }), code('config'))
})

test('what an explainer has done counts for its own configuration only', async (t) => {
  const { out, features } = await directories(t)
  const store = await openExplanations(out, features)
  await store.append([explanation(1, 'a'), explanation(7, 'b')])
  assert.deepEqual([...(await store.done('statistics', 'c1'))].sort(), [1, 7])
  assert.equal((await store.done('statistics', 'c2')).size, 0)
  assert.equal((await store.done('anthropic:x', 'c1')).size, 0)
})

test('a store of other features is refused and left as it is', async (t) => {
  const { out, features } = await directories(t)
  await (await openExplanations(out, features)).append([explanation(1, 'kept')])
  await writeFile(join(features, 'manifest.json'), '{"other": true}')
  await assert.rejects(openExplanations(out, features), code('config'))
  await writeFile(join(features, 'manifest.json'), '{}')
  assert.equal((await (await openExplanations(out, features)).list()).length, 1)
})

test('a features directory that is not there, and a file that is no database, are named', async (t) => {
  const { out, features } = await directories(t)
  await assert.rejects(openExplanations(out, join(features, 'no')), code('missing'))
  await mkdir(out)
  await writeFile(explanationsFile(out), 'not a database, but long enough to be taken for one'.repeat(400))
  await assert.rejects(openExplanations(out, features), code('corrupt'))
  assert.match(await readFile(explanationsFile(out), 'utf8'), /^not a database/)
})

test('an append that fails half-way leaves nothing', async (t) => {
  const { out, features } = await directories(t)
  const store = await openExplanations(out, features)
  await assert.rejects(store.append([explanation(1, 'good'), explanation(1.5, 'bad')]))
  assert.deepEqual(await store.list(), [])
})

test('appends and reads of one process do not get in each other’s way', async (t) => {
  const { out, features } = await directories(t)
  const [a, b] = await Promise.all([openExplanations(out, features), openExplanations(out, features)])
  await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      (i % 2 ? a : b).append([explanation(i, `text ${i}`)]).then(() => b.list()),
    ),
  )
  assert.deepEqual(
    (await a.list()).map(({ id }) => id),
    [8, 7, 6, 5, 4, 3, 2, 1],
  )
})

const writer = fileURLToPath(new URL('append-forever.js', import.meta.url))

test('a writer killed at any moment loses nothing that was committed and leaves no half of an append', async (t) => {
  const { out, features } = await directories(t)
  for (const after of [1, 3, 7]) {
    const committed = await killWriter(writer, [out, features], after)
    const store = await openExplanations(out, features)
    const found = (await store.list({ limit: 10_000 })).map(({ feature }) => feature)
    assert.ok(found.includes(committed), `feature ${committed} was committed before the kill`)
    assert.equal(found.length % 2, 0)
    assert.deepEqual(
      found.sort((a, b) => a - b),
      Array.from({ length: found.length }, (_, i) => i),
    )
    assert.ok((await store.list({ limit: 10_000 })).every(({ scores }) => scores.length === 2))
  }
})

test('a process that holds the file makes another say so', { timeout: 30_000 }, async (t) => {
  const { out, features } = await directories(t)
  await openExplanations(out, features)
  const child = spawn(process.execPath, [writer, out, features, 'hold'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  try {
    await assert.rejects(openDatabaseFile(explanationsFile(out), 'read'), code('busy'))
  } finally {
    child.kill('SIGKILL')
  }
})
