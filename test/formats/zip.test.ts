import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { openZip } from '../../src/formats/zip.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { makeZip, type ZipLies, type ZipPart } from './make-zip.js'

const lifetime = fileLifetime()
let path: string
before(async () => {
  path = join(await temporaryDirectory(lifetime), 'archive.zip')
})

const text = (data: string): Uint8Array => Buffer.from(data)

/** All entries of an archive. */
async function readAll(bytes: Uint8Array): Promise<Record<string, string>> {
  await writeFile(path, bytes)
  const zip = await openZip(path)
  try {
    const result: Record<string, string> = {}
    for (const name of zip.entries.keys()) result[name] = Buffer.from(await zip.read(name)).toString('latin1')
    return result
  } finally {
    await zip.close()
  }
}

const fails = (code: string, message: RegExp, parts: ZipPart[], lies: ZipLies = {}) =>
  assert.rejects(readAll(makeZip(parts, lies)), { name: 'MonosemError', code, message })

test('stored, deflated and empty entries come back, with ZIP64 records and without', async () => {
  const long = 'abc'.repeat(500_000)
  const parts = [
    { name: 'folder/', data: text('') },
    { name: 'folder/stored', data: text('some bytes') },
    { name: 'deflated', data: text(long), deflate: true },
    { name: 'empty', data: text('') },
    { name: 'empty-deflated', data: text(''), deflate: true },
  ]
  const expected = { 'folder/stored': 'some bytes', deflated: long, empty: '', 'empty-deflated': '' }
  assert.deepEqual(await readAll(makeZip(parts)), expected)
  assert.deepEqual(await readAll(makeZip(parts, { zip64: true })), expected)
  assert.deepEqual(await readAll(makeZip([])), {})
})

test('an entry that is not there is missing', async () => {
  await writeFile(path, makeZip([{ name: 'a', data: text('1') }]))
  const zip = await openZip(path)
  await assert.rejects(zip.read('b'), { code: 'missing', message: /"b"/ })
  await zip.close()
})

test('what is no zip archive is refused as such', async () => {
  await assert.rejects(openZip(join(path, '..', 'absent')), { code: 'missing' })
  await assert.rejects(readAll(text('')), { code: 'format', message: /not a zip archive/ })
  await assert.rejects(readAll(text('plain text, longer than the smallest archive')), { code: 'format' })
})

test('an archive is corrupt wherever it is cut', async () => {
  const whole = makeZip([
    { name: 'a', data: text('some bytes') },
    { name: 'b', data: text('other bytes'), deflate: true },
  ])
  for (let length = 4; length < whole.length; length++)
    await assert.rejects(readAll(whole.subarray(0, length)), { code: 'corrupt' }, `cut at ${length}`)
})

test('a byte that has changed in an entry is found by its CRC-32', async () => {
  const whole = makeZip([{ name: 'a', data: text('some bytes') }])
  whole[35] ^= 1
  await assert.rejects(readAll(whole), { code: 'corrupt', message: /entry "a": expected CRC-32/ })
  await fails('corrupt', /CRC-32/, [{ name: 'a', data: text('abc'), deflate: true, lies: { crc: 0 } }])
  // PyTorch writes 0 where it was told to compute none
  assert.deepEqual(await readAll(makeZip([{ name: 'a', data: text('abc'), lies: { crc: 0 } }])), { a: 'abc' })
})

test('encrypted entries and unknown methods are refused by name', async () => {
  await fails('format', /"secret" is encrypted/, [
    { name: 'secret', data: text('abc'), deflate: true, lies: { flags: 1 } },
  ])
  await fails('format', /"a" has compression method 12/, [
    { name: 'a', data: text('abc'), lies: { method: 12 } },
  ])
})

test('names that leave their folder, and names that come twice, are refused', async () => {
  for (const name of ['../evil', 'a/../../evil', '/etc/evil', 'C:/evil', '..\\evil'])
    await fails('corrupt', /evil/, [{ name, data: text('abc') }])
  const twice = { name: 'a', data: text('abc') }
  await fails('corrupt', /two entries are called "a"/, [twice, twice])
})

test('an entry that inflates to more or less than it claims is stopped', async () => {
  const data = new Uint8Array(1 << 20)
  await fails('corrupt', /should inflate to 5000 bytes, got more/, [
    { name: 'bomb', data, deflate: true, lies: { size: 5000 } },
  ])
  await fails('corrupt', /should inflate to 1048577 bytes, got 1048576/, [
    { name: 'short', data, deflate: true, lies: { size: data.length + 1 } },
  ])
  const { length } = deflateRawSync(data)
  await fails('corrupt', /"cut" is damaged/, [
    { name: 'cut', data, deflate: true, lies: { compressedSize: length - 5 } },
  ])
  await fails('corrupt', /"noise" is damaged/, [
    { name: 'noise', data: text('\xff\xfe no deflate stream'), lies: { method: 8, size: 100 } },
  ])
})

test('sizes that the file cannot hold are refused before memory is taken', async () => {
  const data = text('abc')
  const huge = 2 ** 50
  for (const lies of [{ size: huge }, { size: huge, compressedSize: huge }, { offset: huge }])
    await fails('corrupt', /./, [{ name: 'a', data, lies }], { zip64: true })
  await fails(
    'corrupt',
    /claims 1125899906842624 bytes/,
    [{ name: 'a', data, deflate: true, lies: { size: huge } }],
    {
      zip64: true,
    },
  )
})

test('a bomb within the limits of deflate is refused, many zeros in a small file are not', async () => {
  const noise = randomBytes(300_000)
  await fails('format', /would inflate from \d+ to 300000000 bytes/, [
    { name: 'bomb', data: noise, deflate: true, lies: { size: 300_000_000 } },
  ])
  const zeros = { name: 'zeros', data: new Uint8Array(1 << 22), deflate: true }
  assert.equal((await readAll(makeZip([zeros]))).zeros.length, 1 << 22)
})

test('entries that share bytes are refused', async () => {
  const parts = [
    { name: 'a', data: text('abc') },
    { name: 'b', data: text('abc'), lies: { offset: 0 } },
  ]
  await fails('corrupt', /entries "a" and "b" overlap/, parts)
  // the second local header stands inside the first entry
  const inner = makeZip([{ name: 'b', data: text('abc') }]).subarray(0, 34)
  await fails('corrupt', /overlap/, [
    { name: 'a', data: inner },
    { name: 'b', data: text('abc'), lies: { offset: 31 } },
  ])
})

test('counts and positions that point anywhere are corrupt', async () => {
  const parts = [{ name: 'a', data: text('abc') }]
  await fails('corrupt', /at most 65536 entries, got 1000000000000/, parts, { zip64: true, entryCount: 1e12 })
  await fails('corrupt', /directory/, parts, { entryCount: 2 })
  for (const directoryOffset of [0, 3, 2 ** 31, 2 ** 52, Number.MAX_SAFE_INTEGER])
    await fails('corrupt', /directory/, parts, { zip64: true, directoryOffset })
  const locator = makeZip(parts, { zip64: true })
  locator.writeBigUInt64LE(2n ** 64n - 1n, locator.length - 22 - 12)
  await assert.rejects(readAll(locator), { code: 'corrupt', message: /behind the end of the file/ })
})
