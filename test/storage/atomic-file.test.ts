import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'
import { sha256, sha256File, storageError, writeFileAtomic } from '../../src/storage/atomic-file.js'
import { temporaryDirectory } from '../temporary-directory.js'

test('writeFileAtomic replaces the content and leaves nothing else behind', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'a.json')
  await writeFileAtomic(path, 'one')
  await writeFileAtomic(path, [Buffer.from('tw'), Buffer.from('o')])
  assert.equal(await readFile(path, 'utf8'), 'two')
  assert.deepEqual(await readdir(directory), ['a.json'])
})

test('a write on a full disk says so, and keeps the old content', {
  skip: existsSync('/dev/full') ? false : 'needs /dev/full',
}, async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'a.json')
  await writeFile(path, 'old')
  await symlink('/dev/full', `${path}.tmp`)
  await assert.rejects(writeFileAtomic(path, 'new'), {
    code: 'io',
    message: /the disk is full/,
    hint: /free some space/,
  })
  assert.equal(await readFile(path, 'utf8'), 'old')
  assert.deepEqual(await readdir(directory), ['a.json'])
})

test('errors of the operating system become errors that say what to do', () => {
  const from = (code: string): MonosemError =>
    storageError('write', '/x', Object.assign(new Error(`${code}: no`), { code }))
  assert.deepEqual(
    [from('ENOENT').code, from('ENOSPC').code, from('EDQUOT').code, from('EACCES').code],
    ['missing', 'io', 'io', 'io'],
  )
  assert.match(from('ENOSPC').message, /write \/x: the disk is full/)
  assert.match(from('EDQUOT').message, /the disk is full/)
  assert.match(from('EACCES').hint ?? '', /permissions/)
})

test('an error that already says what to do is passed on as it is', () => {
  const error = new MonosemError('shape', 'no')
  assert.equal(storageError('write', '/x', error), error)
})

test('sha256 of a file and of its bytes agree with the known value', async (t) => {
  const path = join(await temporaryDirectory(t), 'abc')
  await writeFile(path, 'abc')
  const known = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  assert.equal(await sha256File(path), known)
  assert.equal(sha256('abc'), known)
  await assert.rejects(sha256File(`${path}.none`), { code: 'missing' })
})
