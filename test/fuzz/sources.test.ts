import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { readerFor } from '../../src/corpus/readers.js'
import type { MonosemError } from '../../src/errors/monosem-error.js'
import { withDatabase } from '../../src/formats/duckdb.js'
import { openRepositoryCache } from '../../src/hub/hub-cache.js'
import { isRelativePath, parseHubPlace } from '../../src/hub/source-name.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { mutatedBytes, randomBytes } from './mutated-bytes.js'
import { mutatedJson } from './mutated-json.js'
import { readsOrRefuses } from './reads-or-refuses.js'

const lifetime = fileLifetime()
let directory: string
before(async () => {
  directory = await temporaryDirectory(lifetime)
})

/** Reads all texts of a file with this ending. */
const readTexts = (ending: string) => async (bytes: Uint8Array) => {
  const path = join(directory, `texts${ending}`)
  await writeFile(path, bytes)
  const bad = (_reason: string, error: MonosemError) => {
    throw error
  }
  for await (const { text } of readerFor(path)!({ path, name: 'texts', field: 'text', bad }))
    assert.equal(typeof text, 'string')
}

const samples = {
  '.txt': 'a text\nof two lines\n',
  '.jsonl': '{"text": "one"}\n{"text": "two", "other": [1, {"a": null}]}\n\n{"text": "ünï"}\n',
  '.json': '[{"text": "one"}, {"text": "two"}]',
  '.csv': 'text,number\n"one, quoted",1\n"two\nlines",2\n',
}

for (const [ending, sample] of Object.entries(samples))
  test(`texts in ${ending}`, () =>
    readsOrRefuses(fc.oneof(randomBytes(), mutatedBytes(Buffer.from(sample))), readTexts(ending)))

test('texts in .parquet', async () => {
  const path = join(directory, 'whole.parquet')
  await withDatabase(async (connection) => {
    await connection.run(
      `COPY (SELECT 'text ' || i AS text, i FROM range(50) t(i)) TO '${path}' (FORMAT parquet)`,
    )
  })
  const whole = await readFile(path)
  await readsOrRefuses(fc.oneof(randomBytes(), mutatedBytes(whole)), readTexts('.parquet'))
})

const placeParts = fc.constantFrom(
  'hf://',
  'hf:',
  'datasets',
  'owner',
  'name',
  '/',
  '/',
  '@',
  'main',
  '..',
  '.',
  '~',
  '\\',
  '%2e',
  '\u0000',
  '-',
  '.git',
)

test('names of places on the hub never lead out of a repository', () => {
  const name = fc.oneof(
    fc.string(),
    fc.array(placeParts, { maxLength: 8 }).map((parts) => parts.join('')),
  )
  return readsOrRefuses(name, async (source) => {
    const place = parseHubPlace(source)
    if (!place) return
    assert.ok(isRelativePath(place.repository), source)
    assert.ok(place.path === '' || isRelativePath(place.path), source)
  })
})

test('a list of files in the cache of the hub is read or ignored, and names no file outside', async () => {
  const place = { type: 'model', repository: 'owner/name', path: '', revision: null } as const
  const commit = '0123456789abcdef0123456789abcdef01234567'
  const cache = openRepositoryCache(directory, place)
  const path = join(cache.directory, 'trees', `${commit}.json`)
  const files = [
    { path: 'config.json', size: 3, gitHash: commit, sha256: null },
    { path: 'folder/model.safetensors', size: 5, gitHash: commit, sha256: 'ab'.repeat(32) },
  ]
  await mkdir(dirname(path), { recursive: true })
  await cache.writeTree(commit, files)
  assert.deepEqual(await cache.readTree(commit), files)
  const whole = await readFile(path)
  const changed = fc.oneof(mutatedJson(JSON.parse(whole.toString())), mutatedBytes(whole).map(String))
  let ignored = 0
  await fc.assert(
    fc.asyncProperty(changed, async (json) => {
      await writeFile(path, json)
      const tree = await cache.readTree(commit)
      if (tree === null) ignored++
      for (const file of tree ?? [])
        assert.ok(isRelativePath(file.path) && /^\w+$/.test(file.sha256 ?? file.gitHash))
    }),
    { seed: 1 },
  )
  assert.ok(ignored > 0)
})
