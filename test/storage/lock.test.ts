import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
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

test('the lock of a process that takes a moment to end is taken over', async (t) => {
  const directory = await temporaryDirectory(t)
  const child = spawn('sleep', ['0.3'])
  const [, machine] = await machineOf(directory)
  await writeFile(join(directory, 'lock'), `${child.pid} ${machine}`)
  const unlock = await lockDirectory(directory)
  await unlock()
})

test('the lock of a process that has ended unnoticed is taken over', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const directory = await temporaryDirectory(t)
  // its parent never waits for the inner sleep
  const parent = spawn('sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.after(() => parent.kill('SIGKILL'))
  const pid = await new Promise<number>((resolve) =>
    parent.stdout.once('data', (text) => resolve(Number(text))),
  )
  while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) await setTimeout(20)
  const [, machine] = await machineOf(directory)
  await writeFile(join(directory, 'lock'), `${pid} ${machine}`)
  const unlock = await lockDirectory(directory)
  await unlock()
})

/** What a lock of this process says. */
async function machineOf(directory: string): Promise<string[]> {
  const unlock = await lockDirectory(directory)
  const words = (await readFile(join(directory, 'lock'), 'utf8')).split(' ')
  await unlock()
  return words
}
