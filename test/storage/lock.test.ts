import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { lockDirectory } from '../../src/storage/lock.js'
import { temporaryDirectory } from '../temporary-directory.js'

test('a lock names its process and machine, and goes when it is released', async (t) => {
  const directory = await temporaryDirectory(t)
  const unlock = await lockDirectory(directory)
  const [pid, machine] = (await readFile(join(directory, 'lock'), 'utf8')).split(' ')
  assert.equal(Number(pid), process.pid)
  assert.ok(machine.length > 0)
  await assert.rejects(lockDirectory(directory), { code: 'busy' })
  await unlock()
  assert.ok(!existsSync(join(directory, 'lock')))
})

test('a lock of another machine is respected while it is touched, and taken over when nobody touches it', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'lock')
  // a process id that lives here says nothing of the other machine
  await writeFile(path, `${process.ppid} another-machine`)
  let time = 1_000_000
  const touching = setInterval(() => utimes(path, time, time++), 20)
  t.after(() => clearInterval(touching))
  await assert.rejects(lockDirectory(directory, 500), { code: 'busy' })
  clearInterval(touching)
  const unlock = await lockDirectory(directory, 500)
  await unlock()
})
