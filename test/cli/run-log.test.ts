import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { openRunLog } from '../../src/cli/run-log.js'
import { temporaryDirectory } from '../temporary-directory.js'

const result = (reused: boolean) => async () => {
  await setTimeout(30)
  return { directory: '', reused }
}

test('the seconds of a stage add up over the runs that worked on it, and a reused stage adds nothing', async (t) => {
  const run = join(await temporaryDirectory(t), 'run')
  const stopped = async () => {
    await setTimeout(30)
    throw new Error('stopped')
  }
  await assert.rejects((await openRunLog(run)).measure('model', stopped), /stopped/)
  const first = (await openRunLog(run)).stageSeconds()
  assert.ok(first >= 0.025, String(first))
  const second = await openRunLog(run)
  await second.measure('model', result(false))
  assert.ok(second.stageSeconds() >= first + 0.025)
  const third = await openRunLog(run)
  await third.measure('model', result(true))
  assert.equal(third.stageSeconds(), second.stageSeconds())
})

test('the peak of memory is the largest of all processes', async (t) => {
  const run = await temporaryDirectory(t)
  await writeFile(join(run, 'timings.json'), JSON.stringify({ seconds: { corpus: 5 }, peakRssMiB: 1e6 }))
  const log = await openRunLog(run)
  await log.measure('model', result(false))
  assert.equal(log.peakRssMiB(), 1e6)
  assert.ok(log.stageSeconds() > 5)
  const stored = JSON.parse(await readFile(join(run, 'timings.json'), 'utf8'))
  assert.equal(stored.peakRssMiB, 1e6)
  assert.deepEqual(Object.keys(stored.seconds), ['corpus', 'model'])
})

test('a damaged record is started again', async (t) => {
  const run = await temporaryDirectory(t)
  await writeFile(join(run, 'timings.json'), '{"seconds":')
  const log = await openRunLog(run)
  assert.equal(log.stageSeconds(), 0)
  assert.ok(log.peakRssMiB() > 10 && log.peakRssMiB() < 10_000)
})
