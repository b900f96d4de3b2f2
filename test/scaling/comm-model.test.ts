import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { singleRank } from '../../src/distributed/communicator.js'
import {
  commKinds,
  exchangeSeconds,
  fitComm,
  readCommReport,
  roundsAndBytes,
  worstError,
} from '../../src/scaling/comm-model.js'
import { measureComm, sizesUpTo } from '../../src/scaling/measure-comm.js'
import { temporaryDirectory } from '../temporary-directory.js'

test('rounds and bytes of every exchange of four ranks, by hand', () => {
  assert.deepEqual(roundsAndBytes('sum', 4, 400), { rounds: 6, sent: 600 })
  assert.deepEqual(roundsAndBytes('sumInBf16', 4, 400), { rounds: 6, sent: 600 })
  assert.deepEqual(roundsAndBytes('allToAll', 4, 400), { rounds: 3, sent: 300 })
  assert.deepEqual(roundsAndBytes('allGather', 4, 400), { rounds: 3, sent: 300 })
  assert.deepEqual(roundsAndBytes('gather', 4, 400), { rounds: 3, sent: 300 })
  assert.deepEqual(roundsAndBytes('broadcast', 4, 400), { rounds: 2, sent: 400 })
  for (const kind of commKinds) assert.deepEqual(roundsAndBytes(kind, 1, 400), { rounds: 0, sent: 0 })
})

test('the fit finds the latency and the bandwidth that the times were made with', () => {
  const line = { secondsPerRound: 2e-6, secondsPerByte: 1 / 5e9 }
  const points = [8, 512, 32_768, 2 ** 21, 2 ** 26].map((bytes) => ({
    bytes,
    seconds: exchangeSeconds(line, 'sum', 3, bytes),
  }))
  // 4 rounds and 4/3 of the bytes
  assert.ok(Math.abs(points[0].seconds - (8e-6 + 32 / 3 / 5e9)) < 1e-15)
  const found = fitComm('sum', 3, points)
  assert.ok(Math.abs(found.secondsPerRound / 2e-6 - 1) < 1e-9)
  assert.ok(Math.abs(found.secondsPerByte * 5e9 - 1) < 1e-9)
  assert.ok(worstError(found, 'sum', 3, points) < 1e-9)
})

test('neither part of a fit is negative', () => {
  // faster than any line through 0: a negative latency would fit best
  const steep = [
    { bytes: 1000, seconds: 1e-6 },
    { bytes: 2000, seconds: 1e-5 },
    { bytes: 4000, seconds: 1e-4 },
  ]
  const found = fitComm('allGather', 2, steep)
  assert.equal(found.secondsPerRound, 0)
  assert.ok(found.secondsPerByte > 0)
  const falling = [
    { bytes: 1000, seconds: 2e-6 },
    { bytes: 2000, seconds: 1e-6 },
  ]
  const flat = fitComm('allGather', 2, falling)
  assert.ok(flat.secondsPerRound > 0)
  assert.equal(flat.secondsPerByte, 0)
})

test('sizes go up by 8 to the largest, and one rank has nothing to measure', async () => {
  assert.deepEqual(sizesUpTo(600), [8, 64, 512, 600])
  assert.deepEqual(sizesUpTo(8), [8])
  await assert.rejects(measureComm(singleRank, { largest: 64, trialSeconds: 0.01 }), /two ranks or more/)
})

test('a file of something else is refused, and says where', async (t) => {
  const path = join(await temporaryDirectory(t), 'comm.json')
  await writeFile(path, '{"kind": "monosem bench comm", "machine": "m", "library": "l", "ranks": 1}')
  await assert.rejects(readCommReport(path), /comm\.json: expected a file of monosem bench comm.*ranks/)
})
