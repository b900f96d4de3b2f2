import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { builtinCorpus } from '../../src/corpus/builtin-corpus.js'
import { type CorpusDocument, utf8Length } from '../../src/corpus/document.js'
import { generatedTexts } from '../../src/corpus/generated-texts.js'
import { icuLocales, icuTexts, missingLocales } from '../../src/corpus/icu-texts.js'
import { findNodeModules } from '../../src/corpus/package-files.js'
import { packageTexts } from '../../src/corpus/package-texts.js'
import { MonosemError } from '../../src/errors/monosem-error.js'
import { silentProgress } from '../../src/progress/progress.js'
import { sha256 } from '../../src/storage/atomic-file.js'
import { temporaryDirectory } from '../temporary-directory.js'

const context = { progress: silentProgress }

async function corpus(seed: number): Promise<CorpusDocument[]> {
  const { source } = await builtinCorpus({ sizeMb: 2, seed }, context)
  return [...(source() as CorpusDocument[])]
}

const total = (documents: Iterable<CorpusDocument>): number =>
  Array.from(documents).reduce((sum, document) => sum + utf8Length(document.text), 0)

test('the same seed gives the same corpus, another seed another', async () => {
  const [first, again, other] = [await corpus(5), await corpus(5), await corpus(6)]
  assert.equal(sha256(JSON.stringify(first)), sha256(JSON.stringify(again)))
  assert.notEqual(sha256(JSON.stringify(first)), sha256(JSON.stringify(other)))
})

test('the corpus has the size asked for and every kind in its share', async () => {
  const documents = await corpus(0)
  const size = total(documents)
  assert.ok(size > 1.8e6 && size < 2.2e6, `${size} bytes`)
  const share = (pattern: RegExp) => total(documents.filter(({ kind }) => pattern.test(kind))) / size
  assert.ok(share(/^(docs|code|messages-)/) > 0.4)
  for (const kind of [/^text-ar$/, /^text-he$/, /^dna$/, /^base64$/, /^hex$/])
    assert.ok(share(kind) > 0.005 && share(kind) < 0.04, `${kind}: ${share(kind)}`)
  for (const locale of icuLocales)
    assert.ok(
      documents.some(({ kind }) => kind === `text-${locale}`),
      locale,
    )
})

test('text of a language is mostly in its own script', () => {
  const documents = [...icuTexts(400_000, 0)]
  const letters = (kind: string, script: RegExp) => {
    const text = documents
      .filter((document) => document.kind === kind)
      .map((document) => document.text)
      .join('')
    const all = text.match(/\p{L}/gu)?.length ?? 0
    return (text.match(script)?.length ?? 0) / all
  }
  assert.ok(letters('text-ar', /\p{Script=Arabic}/gu) > 0.85)
  assert.ok(letters('text-he', /\p{Script=Hebrew}/gu) > 0.85)
  assert.ok(letters('text-el', /\p{Script=Greek}/gu) > 0.85)
  assert.ok(letters('text-th', /\p{Script=Thai}/gu) > 0.8)
  assert.ok(documents.every(({ text }) => !/\{\w+\}|undefined|NaN/.test(text)))
})

test('languages that this Node does not know are reported', () => {
  assert.deepEqual(missingLocales(['ar', 'qaa']), ['qaa'])
})

test('generated kinds hold what they are named after', () => {
  const text = (kind: 'dna' | 'base64' | 'hex') =>
    Array.from(
      generatedTexts(kind, 100_000, 1, ['some text to encode, again and again']),
      (d) => d.text,
    ).join('')
  const covered = (kind: 'dna' | 'base64' | 'hex', pattern: RegExp) =>
    (text(kind).match(pattern)?.join('').length ?? 0) / text(kind).length
  assert.ok(covered('dna', /[ACGT]{12,}/g) > 0.6)
  assert.ok(covered('base64', /[A-Za-z0-9+/_-]{40,}={0,2}/g) > 0.7)
  assert.ok(covered('hex', /[0-9a-f]{2,}/g) > 0.4)
  const block = /-----BEGIN [A-Z ]+-----\n([\s\S]+?)\n-----END/.exec(text('base64'))?.[1] as string
  assert.equal(Buffer.from(block, 'base64').toString('base64'), block.replaceAll('\n', ''))
})

async function nodeModules(t: TestContext, files: Record<string, string | Buffer>): Promise<string> {
  const directory = await temporaryDirectory(t)
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), content)
  }
  return directory
}

const lines = (word: string, count: number): string =>
  Array.from({ length: count }, (_, i) => `this is line ${i} about ${word} and more`).join('\n')

test('package texts leave out repeated, binary and minified files, and packages not named', async (t) => {
  const directory = await nodeModules(t, {
    'zod/README.md': lines('a', 20),
    'zod/LICENSE': lines('licence', 20),
    'semver/LICENSE': lines('licence', 20),
    'zod/index.js': lines('code', 30),
    'zod/index.cjs': `'use strict'\n${lines('code', 30)}`,
    'zod/bundle.js': `var x = 1;${'y();'.repeat(1000)}\n`,
    'zod/data.js': Buffer.concat([Buffer.from(lines('data', 10)), Buffer.of(0)]),
    'zod/latin1.md': Buffer.concat([Buffer.from(lines('latin', 10)), Buffer.of(0xe9)]),
    '@duckdb/node-bindings-linux-x64/README.md': lines('linux', 20),
    '@duckdb/node-api/README.md': lines('tool', 20),
    'left-pad/README.md': lines('another package', 20),
    'zod/.hidden/README.md': lines('hidden', 20),
  })
  const budget = { docs: 1e6, code: 1e6, messages: 1e6 }
  const documents = await packageTexts(directory, budget, 0, async () => {})
  const sources = documents.map((document) => document.source).sort()
  assert.equal(sources.filter((source) => source.endsWith('LICENSE')).length, 1)
  assert.equal(sources.filter((source) => source.startsWith('zod/index')).length, 1)
  assert.deepEqual(
    sources.filter((source) => source.endsWith('.md')),
    ['@duckdb/node-api/README.md', 'zod/README.md'],
  )
  assert.equal(documents.length, 4)
})

test('node_modules is found beside the package or where it was hoisted to', async (t) => {
  const root = await nodeModules(t, {
    'app/node_modules/zod/package.json': '{}',
    'app/node_modules/monosem/dist/src/x.js': '',
    'own/node_modules/zod/package.json': '{}',
    'own/dist/src/x.js': '',
  })
  const modules = (name: string) => join(root, name, 'node_modules')
  assert.equal(findNodeModules(join(modules('app'), 'monosem', 'dist', 'src')), modules('app'))
  assert.equal(findNodeModules(join(root, 'own', 'dist', 'src')), modules('own'))
  assert.equal(findNodeModules(root), null)
})

test('pieces of one package file share a group', async (t) => {
  const directory = await nodeModules(t, { 'zod/README.md': lines('long', 1500) })
  const documents = await packageTexts(directory, { docs: 1e6, code: 0, messages: 0 }, 0, async () => {})
  assert.ok(documents.length > 2)
  assert.equal(new Set(documents.map((document) => document.group)).size, 1)
})

test('building the corpus stops when it is interrupted', async () => {
  const stop = new AbortController()
  stop.abort()
  await assert.rejects(
    builtinCorpus({ sizeMb: 2, seed: 0 }, { ...context, signal: stop.signal }),
    (error) => error instanceof MonosemError && error.code === 'interrupted',
  )
})
