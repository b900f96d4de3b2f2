import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type NewExplanation, openExplanations } from '../../src/explain/explanations.js'
import { explanationsFile } from '../../src/explain/explanations-file.js'
import { readFeatureExplanations } from '../../src/explain/feature-explanations.js'
import { openDatabaseFile } from '../../src/formats/duckdb.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { killWriter } from './kill-writer.js'
import { oldDatabase } from './old-database.js'

async function directories(t: TestContext) {
  const root = await temporaryDirectory(t)
  const features = join(root, 'features')
  await mkdir(features)
  await writeFile(join(features, 'manifest.json'), '{}')
  return { features, out: join(root, 'explanations') }
}

const said = (feature: number, text: string, explainer = 'user'): NewExplanation => ({
  ...{ feature, text, explainer, configuration: null, examples: null, scores: [] },
})

test('a label is an explanation by the user: whatever reads explanations sees it, first', async (t) => {
  const { out, features } = await directories(t)
  const store = await openExplanations(out, features)
  await store.append([said(7, 'Arabic', 'statistics')])
  await store.putUserNotes(7, { label: 'Arabic script', note: 'mostly verses' })
  const texts = (await readFeatureExplanations(out, features)).get(7)?.map(({ text }) => text)
  assert.deepEqual(texts, ['Arabic script', 'Arabic'])
  assert.equal(await store.userNote(7), 'mostly verses')
  assert.equal(await store.userNote(8), null)
})

test('another label replaces the newest of the user; no label removes all of them and nothing else', async (t) => {
  const { out, features } = await directories(t)
  const store = await openExplanations(out, features)
  await store.append([said(7, 'first'), said(7, 'by a program', 'statistics'), said(8, 'other')])
  await store.append([said(7, 'second')])
  const texts = async () => (await store.list({ feature: 7 })).map(({ text }) => text)
  await store.putUserNotes(7, { label: 'third', note: null })
  assert.deepEqual(await texts(), ['third', 'by a program', 'first'])
  const [{ id }] = await store.list({ feature: 7 })
  await store.putUserNotes(7, { label: 'third', note: 'n' })
  assert.equal((await store.list({ feature: 7 }))[0].id, id, 'the same label again is not written again')
  await store.putUserNotes(7, { label: null, note: 'n' })
  assert.deepEqual(await texts(), ['by a program'])
  await store.putUserNotes(7, { label: null, note: null })
  assert.equal(await store.userNote(7), null)
  assert.deepEqual(
    (await store.list({ feature: 8 })).map(({ text }) => text),
    ['other'],
  )
})

const writer = fileURLToPath(new URL('label-forever.js', import.meta.url))

test('a process killed while it labels leaves label and note of one and the same write', async (t) => {
  const { out, features } = await directories(t)
  for (const after of [1, 4, 9]) {
    const finished = await killWriter(writer, [out, features], after)
    const store = await openExplanations(out, features)
    const found = await store.list({ feature: 7 })
    assert.equal(found.length, 1, 'one label, neither none nor two')
    const number = Number(/^label (\d+)$/.exec(found[0].text)?.[1])
    // The write that was going on may have come through.
    assert.ok(number === finished || number === finished + 1, `label ${number} after write ${finished}`)
    assert.equal(await store.userNote(7), `note ${number} `.repeat(500).trim())
  }
})

async function layoutOf(out: string): Promise<number> {
  const { connection, close } = await openDatabaseFile(explanationsFile(out), 'read')
  const [[layout]] = (await connection.runAndReadAll('SELECT layout FROM store')).getRowsJS()
  close()
  return layout as number
}

test('a database of the version before is read as it is, and brought up to date by the first write', async (t) => {
  const { out, features } = await directories(t)
  await oldDatabase(out)
  const store = await openExplanations(out, features)
  assert.equal((await store.list())[0].text, 'old')
  assert.equal(await store.userNote(7), null)
  assert.equal(await store.scoredExamples(1), null)
  assert.equal(await layoutOf(out), 1)
  await store.putUserNotes(7, { label: 'new', note: 'n' })
  assert.equal(await layoutOf(out), 2)
  const again = await openExplanations(out, features)
  assert.deepEqual(
    (await again.list()).map(({ text, scores }) => [text, scores.length]),
    [
      ['new', 0],
      ['old', 1],
    ],
  )
  assert.deepEqual(await again.note('k'), { a: 1 })
  assert.equal(await again.userNote(7), 'n')
})

test('a write that fails leaves an older database as it was', async (t) => {
  const { out, features } = await directories(t)
  await oldDatabase(out)
  const store = await openExplanations(out, features)
  await assert.rejects(store.append([said(1, 'good', 'statistics'), said(1.5, 'bad', 'statistics')]))
  assert.equal(await layoutOf(out), 1)
  assert.equal((await store.list()).length, 1)
})

test('a database of a newer version is refused and left as it is', async (t) => {
  const { out, features } = await directories(t)
  await oldDatabase(out, 3)
  await assert.rejects(openExplanations(out, features), { code: 'config', message: /another version/ })
  assert.equal(await layoutOf(out), 3)
})
