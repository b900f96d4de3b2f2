import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { findUserFiles, MAX_DOCUMENT_BYTES, userCorpus } from '../../src/corpus/user-corpus.js'
import { type ErrorCode, MonosemError } from '../../src/errors/monosem-error.js'
import { sqlString, withDatabase } from '../../src/formats/duckdb.js'
import { silentProgress } from '../../src/progress/progress.js'
import { startHub } from '../hub/hub-server.js'
import { temporaryDirectory } from '../temporary-directory.js'

interface Outcome {
  texts: string[]
  places: string[]
  skipped: Record<string, number>
  notes: string[]
}

async function read(paths: string[], options: { field?: string; skipBad?: boolean } = {}): Promise<Outcome> {
  const notes: string[] = []
  const progress = { ...silentProgress, note: (text: string) => notes.push(text) }
  const config = { field: options.field ?? 'text', skipBad: options.skipBad ?? false }
  const { source, skipped } = userCorpus({ paths, names: new Map() }, config, progress)
  const texts: string[] = []
  const places: string[] = []
  for await (const document of source()) {
    texts.push(document.text)
    places.push(document.source.split('/').at(-1) as string)
  }
  return { texts, places, skipped: skipped(), notes }
}

async function file(t: TestContext, name: string, content: string | Uint8Array): Promise<string> {
  const path = join(await temporaryDirectory(t), name)
  await writeFile(path, content)
  return path
}

const fails = (code: ErrorCode, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof MonosemError, String(error))
  assert.match(error.message, pattern)
  assert.equal(error.code, code)
  assert.ok(error.hint)
  return true
}

test('a .txt or .md file is one document, without its byte order mark', async (t) => {
  const path = await file(t, 'a.md', '\ufeff# Title\n\nשלום\n')
  assert.deepEqual((await read([path])).texts, ['# Title\n\nשלום\n'])
})

test('a long text is cut at paragraphs into documents that joined are the text', async (t) => {
  const paragraph = `${'word '.repeat(400)}\n\n`
  const path = await file(t, 'a.txt', paragraph.repeat(130) + 'x'.repeat(MAX_DOCUMENT_BYTES * 2))
  const { texts } = await read([path])
  assert.ok(texts.length >= 5)
  assert.ok(texts.every((text) => Buffer.byteLength(text) <= MAX_DOCUMENT_BYTES))
  assert.ok(texts[0]?.endsWith('\n\n'))
  assert.equal(texts.join(''), paragraph.repeat(130) + 'x'.repeat(MAX_DOCUMENT_BYTES * 2))
})

test('.jsonl gives one document a line, from the chosen field or a plain string', async (t) => {
  const path = await file(t, 'a.jsonl', '{"body":"one","n":1}\n\n"two"\r\n{"body":"three"}')
  const { texts, places } = await read([path], { field: 'body' })
  assert.deepEqual(texts, ['one', 'two', 'three'])
  assert.deepEqual(places, ['a.jsonl:1', 'a.jsonl:3', 'a.jsonl:4'])
})

test('.json holds a list of strings or objects, or one object', async (t) => {
  assert.deepEqual((await read([await file(t, 'a.json', '["one", {"text": "two"}]')])).texts, ['one', 'two'])
  assert.deepEqual((await read([await file(t, 'b.json', '{"text": "only"}')])).texts, ['only'])
})

test('.csv, .csv.gz and .parquet give one document a row', async (t) => {
  const csv = 'id,text\n1,"hello, world"\n2,"two\nlines ""quoted"""\n3,\n4,سلام\n'
  const expected = ['hello, world', 'two\nlines "quoted"', 'سلام']
  assert.deepEqual((await read([await file(t, 'a.csv', csv)])).texts, expected)
  assert.deepEqual((await read([await file(t, 'a.csv.gz', gzipSync(csv))])).texts, expected)
  const parquet = join(await temporaryDirectory(t), 'a.parquet')
  await withDatabase((connection) =>
    connection.run(
      `COPY (SELECT 'row ' || i AS text, i FROM range(5000) r(i)) TO ${sqlString(parquet)} (FORMAT parquet)`,
    ),
  )
  const { texts, places } = await read([parquet])
  assert.equal(texts.length, 5000)
  assert.deepEqual([texts[4999], places[4999]], ['row 4999', 'a.parquet:5000'])
  await assert.rejects(read([parquet], { field: 'i' }), fails('format', /"i" to be text, got BIGINT/))
})

test('a second pass gives the same documents and counts nothing twice', async (t) => {
  const path = await file(t, 'a.jsonl', '{"text":"one"}\n{bad\n{"text":"two"}\n')
  const { source, skipped } = userCorpus(
    { paths: [path], names: new Map() },
    { field: 'text', skipBad: true },
    silentProgress,
  )
  const passes: string[][] = []
  for (let pass = 0; pass < 2; pass++) {
    const texts: string[] = []
    for await (const document of source()) texts.push(document.text)
    passes.push(texts)
  }
  assert.deepEqual(passes, [
    ['one', 'two'],
    ['one', 'two'],
  ])
  assert.deepEqual(skipped(), { 'bad lines': 1 })
})

test('a JSONL line that is no JSON is named by file and line, and skipped and counted only with skipBad', async (t) => {
  const path = await file(t, 'a.jsonl', '{"text":"one"}\n{"text": oops}\nnope\n{"text":"two"}\n')
  await assert.rejects(read([path]), fails('format', /a\.jsonl:2: expected JSON, got "\{\\"text\\": oops\}"/))
  const { texts, skipped, notes } = await read([path], { skipBad: true })
  assert.deepEqual(texts, ['one', 'two'])
  assert.deepEqual(skipped, { 'bad lines': 2 })
  assert.match(notes.join('\n'), /a\.jsonl:3[\s\S]*skipped in all: 2 bad lines/)
})

test('a missing field is an error that lists those there are', async (t) => {
  const jsonl = await file(t, 'a.jsonl', '{"body":"one","title":"x"}\n')
  await assert.rejects(
    read([jsonl]),
    fails('missing', /a\.jsonl:1: expected field "text", found: body, title/),
  )
  const csv = await file(t, 'a.csv', 'id,body\n1,x\n')
  await assert.rejects(read([csv]), fails('missing', /a\.csv: expected field "text", found: id, body/))
  const number = await file(t, 'b.jsonl', '{"text":5}\n')
  await assert.rejects(read([number]), fails('format', /b\.jsonl:1: expected field "text" to be a string/))
})

test('invalid UTF-8 is named by the offset of its first bad byte', async (t) => {
  for (const at of [0, 1, 99, 5000]) {
    const bytes = Buffer.concat([
      Buffer.from('é'.repeat(at)),
      Buffer.of(0xc3, 0x28),
      Buffer.from(' ю'.repeat(900)),
    ])
    const path = await file(t, 'a.txt', bytes)
    await assert.rejects(read([path]), fails('format', new RegExp(`invalid byte at offset ${2 * at}$`)))
  }
})

test('a binary file is named by its first zero byte', async (t) => {
  for (const name of ['a.txt', 'a.csv', 'a.json'])
    await assert.rejects(
      read([await file(t, name, Buffer.from('ab\0cd'))]),
      fails('format', /binary data \(a zero byte at offset 2\)/),
    )
})

test('a file without text is an error, whatever its type', async (t) => {
  for (const [name, content] of [
    ['a.txt', ''],
    ['a.md', ' \n\t\n'],
    ['a.jsonl', '\n'],
    ['a.json', '[]'],
    ['a.csv', 'text\n'],
  ] as const)
    await assert.rejects(read([await file(t, name, content)]), fails('format', /the file holds none/))
})

test('files of other types and broken tables are errors', async (t) => {
  await assert.rejects(
    read([await file(t, 'a.docx', 'x')]),
    fails('config', /a\.docx: expected one of \.txt/),
  )
  await assert.rejects(
    read([await file(t, 'a.parquet', 'not parquet')]),
    fails('format', /a\.parquet: .*Parquet/),
  )
  const csv = await file(t, 'a.csv', 'id,text\n1,one\n2,two,three\n3,four\n')
  await assert.rejects(read([csv]), fails('format', /a\.csv:3: Expected Number of Columns: 2 Found: 3/))
})

test('skipBad goes on after every kind of bad input and counts it', async (t) => {
  const paths = [
    await file(t, 'a.txt', Buffer.of(0xff)),
    await file(t, 'b.txt', ''),
    await file(t, 'c.csv', 'id,text\n1,one\n2,two,three\n3,four\n'),
    await file(t, 'd.parquet', 'x'),
    await file(t, 'e.docx', 'x'),
    await file(t, 'f.json', '{'),
    await file(t, 'g.json', '[1, "five"]'),
  ]
  const { texts, skipped } = await read(paths, { skipBad: true })
  assert.deepEqual(texts, ['one', 'four', 'five'])
  assert.equal(skipped['bad rows'], 1)
  assert.equal(skipped['files that are no UTF-8 text'], 1)
  assert.equal(skipped['files with bad tables'], 1)
  assert.equal(skipped['files of other types'], 1)
  assert.equal(skipped['bad files'], 1)
  assert.equal(skipped['bad entries'], 1)
})

test('paths, directories and globs are found, sorted and taken once', async (t) => {
  const directory = await temporaryDirectory(t)
  await mkdir(join(directory, 'sub'))
  for (const name of ['b.txt', 'a.txt', 'sub/c.md', 'odd[1].txt'])
    await writeFile(join(directory, name), name)
  const names = async (...patterns: string[]) =>
    (await findUserFiles(patterns.map((pattern) => join(directory, pattern)))).paths.map((path) =>
      path.slice(directory.length + 1),
    )
  assert.deepEqual(await names('*.txt', 'a.txt'), ['a.txt', 'b.txt', 'odd[1].txt'])
  assert.deepEqual(await names('odd[1].txt'), ['odd[1].txt'])
  assert.deepEqual(await names('**/*.md'), ['sub/c.md'])
  assert.deepEqual(await names('sub'), ['sub/c.md'])
  await assert.rejects(names('*.csv'), fails('missing', /expected files for ".*\*\.csv", found none/))
})

test('the fingerprint of the files changes with their size', async (t) => {
  const path = await file(t, 'a.txt', 'one')
  const before = (await findUserFiles([path])).fingerprint
  await writeFile(path, 'three')
  assert.notEqual((await findUserFiles([path])).fingerprint, before)
})

test('texts of the hub come through its cache, by file, folder or glob', async (t) => {
  const row = (name: string) => ({ content: new TextEncoder().encode(`{"text":"${name}"}\n`) })
  const paths = [
    'README.md',
    'data/a-1.jsonl',
    'data/a-2.jsonl',
    'data/deep/b.jsonl',
    'data/x.bin',
    'c,d.jsonl',
  ]
  const commit = 'c'.repeat(40)
  const files = Object.fromEntries(paths.map((path) => [path, row(path)]))
  const hub = await startHub(t, {
    'datasets/owner/texts': { commits: { [commit]: files }, refs: { main: commit } },
  })
  const cacheDirectory = join(await temporaryDirectory(t), 'hub')
  const options = { endpoint: hub.endpoint, cacheDirectory, token: '', offline: false }
  const found = async (pattern: string) => {
    const user = await findUserFiles([`hf://datasets/owner/texts${pattern}`], options)
    const texts: string[] = []
    for await (const { text, source } of userCorpus(
      user,
      { field: 'text', skipBad: false },
      silentProgress,
    ).source()) {
      assert.ok(source.startsWith(`hf://datasets/owner/texts/${text} (cccccccc)`), source)
      texts.push(text)
    }
    return texts
  }
  assert.deepEqual(await found('/data/a-1.jsonl'), ['data/a-1.jsonl'])
  assert.equal(hub.requests.filter(({ url }) => url.includes('/resolve/')).length, 1)
  assert.deepEqual(await found('/data/*.jsonl'), ['data/a-1.jsonl', 'data/a-2.jsonl'])
  assert.deepEqual(await found('/data/**/*.jsonl'), ['data/a-1.jsonl', 'data/a-2.jsonl', 'data/deep/b.jsonl'])
  assert.deepEqual(await found('/data/{a-2,deep/?}.jsonl'), ['data/a-2.jsonl', 'data/deep/b.jsonl'])
  assert.deepEqual(await found('/c,?.jsonl'), ['c,d.jsonl'])
  assert.deepEqual(await found('/data'), ['data/a-1.jsonl', 'data/a-2.jsonl', 'data/deep/b.jsonl'])
  assert.ok(hub.requests.every(({ url }) => !/README|x\.bin/.test(url)))
  await assert.rejects(found('/data/*.csv'), {
    code: 'missing',
    message: /expected other files there, got .*a-1/,
  })
})
