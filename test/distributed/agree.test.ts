import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shouldStop } from '../../src/distributed/agree.js'
import { singleRank } from '../../src/distributed/communicator.js'
import { requireSameOnAllRanks } from '../../src/distributed/same-on-all-ranks.js'
import { noMpi } from './find-mpi.js'
import { runRanks } from './run-ranks.js'

test('one rank agrees with itself', async () => {
  assert.equal(await shouldStop(singleRank, undefined), false)
  assert.equal(await shouldStop(singleRank, AbortSignal.abort()), true)
  await requireSameOnAllRanks(singleRank, { version: '1' })
})

test('three ranks agree on stopping, on what rank 0 did, and on what they differ in', {
  skip: noMpi ?? false,
}, async () => {
  const { code, stdout, stderr } = await runRanks(3, 'test/distributed/programs/agree.js')
  assert.equal(code, 0, stderr)
  const all = JSON.parse(stdout)
  assert.equal(all.length, 3)
  for (const found of all) {
    assert.deepEqual(found.stop, [true, false])
    assert.deepEqual(found.first, [0, { 0: 0, 1: 0 }])
    assert.deepEqual(found.known, { code: 'busy', message: 'not now', hint: 'wait' })
    assert.equal(found.unknown, 'a mistake')
    assert.equal(found.same, null)
    assert.equal(found.differs.code, 'config')
    assert.match(found.differs.message, /the same options, but rank 2 has b and rank 0 has a/)
    assert.match(found.lacks.message, /the same corpus, but rank 1 has none and rank 0 has c/)
    assert.match(found.long.message, /rank 1 has SHA-256 [0-9a-f]{64} and rank 0 has SHA-256/)
  }
})
