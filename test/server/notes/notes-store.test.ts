import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type NewExplanation, openExplanations } from '../../../src/explain/explanations.js'
import { explanationsFile } from '../../../src/explain/explanations-file.js'
import { type NotesStore, openNotes } from '../../../src/server/notes/notes-store.js'
import { oldDatabase } from '../../explain/old-database.js'
import { temporaryDirectory } from '../../temporary-directory.js'

/** F of the features that are talked about. */
const count = 20

async function emptyRun(t: TestContext) {
  const root = await temporaryDirectory(t)
  const features = join(root, 'features')
  await mkdir(features)
  await writeFile(join(features, 'manifest.json'), '{}')
  return { root, features, out: join(root, 'explanations') }
}

async function openedNotes(t: TestContext, { out, features }: { out: string; features: string }) {
  const notes = await openNotes(out, features, count)
  t.after(() => notes.close())
  return notes
}

const explained = (feature: number, text: string, spearman: number | null = 0.5): NewExplanation => ({
  ...{ feature, text, explainer: 'statistics', configuration: 'c', examples: 'e' },
  scores: [
    {
      scorer: 'spearman',
      value: spearman,
      reason: spearman === null ? 'why' : null,
      n: 9,
      details: { a: 1 },
    },
    { scorer: 'shuffled', value: 0.1, reason: null, n: 9, details: {} },
  ],
})

const label = (notes: NotesStore, feature: number, text: string | null, note: string | null = null) =>
  notes.put(feature, { label: text, note })

test('a run without explanations can be labelled; until then nothing is made', async (t) => {
  const run = await emptyRun(t)
  const notes = await openedNotes(t, run)
  const nothing = { feature: 3, label: null, note: null, explanations: [] }
  assert.deepEqual(await notes.get(3), nothing)
  assert.deepEqual(await label(notes, 3, ' ', ''), nothing)
  assert.deepEqual(await readdir(run.root), ['features'])
  assert.equal(notes.version(), 0)
  const stored = { feature: 3, label: 'Arabic', note: 'verses', explanations: [] }
  assert.deepEqual(await label(notes, 3, 'Arabic', 'verses'), stored)
  assert.equal(notes.version(), 1)
  assert.deepEqual(notes.names().get(3), { name: 'Arabic', named: 'label', score: null })
  assert.deepEqual(await (await openedNotes(t, run)).get(3), stored, 'after a restart')
})

test('the newest explanation of each explainer is shown, the label apart, with scores in their order', async (t) => {
  const run = await emptyRun(t)
  const store = await openExplanations(run.out, run.features)
  await store.append([explained(1, 'old'), explained(2, 'two', null)])
  await store.append([explained(1, 'new', 0.75), { ...explained(1, 'model'), explainer: 'anthropic:m' }])
  await store.append([
    { ...explained(1, 'a'), explainer: 'user', scores: [] },
    { ...explained(1, 'b'), explainer: 'user', scores: [] },
  ])
  const notes = await openedNotes(t, run)
  const found = await notes.get(1)
  assert.equal(found.label, 'b')
  assert.deepEqual(
    found.explanations.map(({ text, explainer }) => [text, explainer]),
    [
      ['a', 'user'],
      ['model', 'anthropic:m'],
      ['new', 'statistics'],
    ],
  )
  assert.deepEqual(found.explanations[2].scores, explained(1, 'new', 0.75).scores)
  assert.deepEqual(
    [...notes.names()],
    [
      [1, { name: 'b', named: 'label', score: 0.5 }],
      [2, { name: 'two', named: 'explanation', score: null }],
    ],
  )
})

test('texts are trimmed and lose their control characters, and the answer is what was stored', async (t) => {
  const notes = await openedNotes(t, await emptyRun(t))
  const stored = await label(notes, 0, '\t a\u0000b\r\nc \u2028', ' one\r\ntwo\u0007\n\tthree\u009b \n')
  assert.equal(stored.label, 'a b c')
  assert.equal(stored.note, 'one\ntwo\n\tthree')
  assert.equal((await label(notes, 0, '<b>x</b> \ud800 שלום', null)).label, '<b>x</b> \ufffd שלום')
  assert.equal((await label(notes, 0, '\n', '\u0000')).label, null)
})

test('what another program writes while the server runs is noticed', async (t) => {
  const run = await emptyRun(t)
  const notes = await openedNotes(t, run)
  const store = await openExplanations(run.out, run.features)
  await store.append([explained(5, 'by another program')])
  assert.equal((await notes.get(5)).explanations[0].text, 'by another program')
  const before = notes.version()
  await store.append([explained(6, 'more')])
  // Asking for the version is enough, a little later.
  while (notes.version() === before) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(notes.names().get(6)?.name, 'more')
  assert.equal(notes.names().size, 2)
  await store.putUserNotes(5, { label: 'by hand', note: null })
  await label(notes, 6, 'mine')
  assert.equal((await notes.get(5)).label, 'by hand')
  await rm(run.out, { recursive: true })
  assert.deepEqual((await notes.get(5)).explanations, [])
  assert.equal(notes.names().size, 0)
})

test('a file that another one took the place of is read from the beginning', async (t) => {
  const run = await emptyRun(t)
  await (await openExplanations(run.out, run.features)).append([explained(1, 'first'), explained(2, 'x')])
  const notes = await openedNotes(t, run)
  await rm(run.out, { recursive: true })
  await (await openExplanations(run.out, run.features)).append([explained(3, 'second')])
  assert.deepEqual((await notes.get(1)).explanations, [])
  assert.equal((await notes.get(3)).explanations[0].text, 'second')
})

test('explanations of the version before are read, and a label brings their file up to date', async (t) => {
  const run = await emptyRun(t)
  await oldDatabase(run.out)
  const notes = await openedNotes(t, run)
  const [old] = (await notes.get(7)).explanations
  assert.deepEqual([old.text, old.hasExamples, old.scores.length], ['old', false, 1])
  await assert.rejects(notes.examples(7, old.id), { code: 'missing', message: /not kept/ })
  const { label: text, explanations } = await label(notes, 7, 'new')
  assert.deepEqual([text, explanations[0].text], ['new', 'old'])
})

test('reading writes nothing', async (t) => {
  const run = await emptyRun(t)
  await (await openExplanations(run.out, run.features)).append([explained(1, 'a')])
  const state = async () => {
    const { mtimeNs, size } = await stat(explanationsFile(run.out), { bigint: true })
    return [mtimeNs, size, await readdir(run.out)]
  }
  const before = await state()
  const notes = await openedNotes(t, run)
  await notes.get(1)
  await notes.query('SELECT 1')
  assert.deepEqual(await state(), before)
})

test('explanations of other features, or that cannot be read, keep no server from starting', async (t) => {
  const run = await emptyRun(t)
  await (await openExplanations(run.out, run.features)).append([explained(1, 'a')])
  await writeFile(join(run.features, 'manifest.json'), '{"other": true}')
  const other = await openedNotes(t, run)
  assert.equal(other.names().size, 0)
  await assert.rejects(other.get(1), { code: 'config', message: /other features/ })
  await assert.rejects(label(other, 1, 'x'), { code: 'config' })
  await writeFile(explanationsFile(run.out), 'not a database, but as long as one might be '.repeat(500))
  const corrupt = await openedNotes(t, run)
  await assert.rejects(corrupt.get(1), { code: 'corrupt' })
  await assert.rejects(label(corrupt, 1, 'x'), { code: 'corrupt' })
})

const labeller = fileURLToPath(new URL('../../explain/label-forever.js', import.meta.url))

test('what a killed process was labelling is shown whole: its label and its note, of one write', async (t) => {
  const run = await emptyRun(t)
  const child = spawn(process.execPath, [labeller, run.out, run.features], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const notes = await openedNotes(t, run)
  for (let lines = 0; lines < 5; lines++) await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const { label: last, note } = await notes.get(7)
  const number = /^label (\d+)$/.exec(last ?? '')?.[1]
  assert.ok(Number(number) >= 5, `the last label is ${last}`)
  assert.equal(note, `note ${number} `.repeat(500).trim())
  assert.equal((await label(notes, 7, 'mine', 'own')).note, 'own')
})

const holder = fileURLToPath(new URL('../../explain/append-forever.js', import.meta.url))

test('while another process holds the file, what was read before is shown and a label is refused', {
  timeout: 60_000,
}, async (t) => {
  const run = await emptyRun(t)
  await (await openExplanations(run.out, run.features)).append([explained(1, 'known')])
  const notes = await openedNotes(t, run)
  const child = spawn(process.execPath, [holder, run.out, run.features, 'hold'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  try {
    assert.equal((await notes.get(1)).explanations[0].text, 'known')
    await assert.rejects(label(notes, 1, 'x'), { code: 'busy', message: /in use by process \d+/ })
    const late = await openedNotes(t, run)
    await assert.rejects(late.get(1), { code: 'busy', hint: /wait/ })
    assert.equal(late.names().size, 0)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  assert.equal((await label(notes, 1, 'x')).label, 'x')
})

test('a run that may not be written to is read, and a label is refused with the reason', async (t) => {
  const run = await emptyRun(t)
  await (await openExplanations(run.out, run.features)).append([explained(1, 'known')])
  const empty = await emptyRun(t)
  for (const path of [run.root, run.features, empty.root, empty.features]) await chmod(path, 0o755)
  await chmod(join(run.features, 'manifest.json'), 0o444)
  await chmod(explanationsFile(run.out), 0o444)
  await chmod(run.out, 0o555)
  await chmod(empty.root, 0o555)
  // Permissions do not hold for root.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  t.after(() => isRoot && process.seteuid?.(0))
  const notes = await openedNotes(t, run)
  assert.equal((await notes.get(1)).explanations[0].text, 'known')
  await assert.rejects(label(notes, 1, 'x'), { code: 'io', hint: /permissions/ })
  await assert.rejects(label(await openedNotes(t, empty), 1, 'x'), { code: 'io', hint: /permissions/ })
  if (isRoot) process.seteuid?.(0)
  for (const path of [run.out, empty.root]) await chmod(path, 0o755)
})

test('a feature that there is not, and examples that were not kept, are missing', async (t) => {
  const run = await emptyRun(t)
  const scored = [
    {
      ...{ group: 'top' as const, interval: null, document: 1, position: 2, tokenIndex: 0 },
      ...{ tokens: [1], activations: [9], predictions: [4] },
    },
  ]
  await (await openExplanations(run.out, run.features)).append([
    { ...explained(1, 'a'), scored },
    explained(2, 'b'),
  ])
  const notes = await openedNotes(t, run)
  await assert.rejects(notes.get(count), { code: 'missing' })
  await assert.rejects(label(notes, count, 'x'), { code: 'missing' })
  const [own] = (await notes.get(1)).explanations
  const [other] = (await notes.get(2)).explanations
  assert.deepEqual([own.hasExamples, other.hasExamples], [true, false])
  assert.deepEqual(await notes.examples(1, own.id), scored)
  await assert.rejects(notes.examples(2, own.id), { code: 'missing', message: /no explanation 1/ })
  await assert.rejects(notes.examples(2, other.id), { code: 'missing', message: /not kept/ })
})

test('labels that come at the same time are all kept, the last of each feature', async (t) => {
  const run = await emptyRun(t)
  const notes = await openedNotes(t, run)
  await Promise.all(Array.from({ length: 12 }, (_, i) => label(notes, i % 4, `label ${i}`, `note ${i}`)))
  for (let feature = 0; feature < 4; feature++) {
    const { label, note } = await notes.get(feature)
    assert.equal(label, `label ${feature + 8}`)
    assert.equal(note, `note ${feature + 8}`)
  }
})
