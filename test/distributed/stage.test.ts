import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStage } from '../../src/storage/open-stage.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { noMpi } from './find-mpi.js'
import { runRanks } from './run-ranks.js'

test('a stage of three ranks: all write, rank 0 seals, and all see the same', {
  skip: noMpi ?? false,
}, async (t) => {
  const root = await temporaryDirectory(t)
  const { code, stdout, stderr } = await runRanks(3, 'test/distributed/programs/stage.js', [root])
  assert.equal(code, 0, stderr)
  const all = JSON.parse(stdout)
  assert.equal(all.length, 3)
  for (const found of all) {
    assert.deepEqual(found.made, { reused: false, bodies: 1 })
    assert.deepEqual(found.reused, { reused: true, bodies: 1 })
    assert.match(found.refused, /another configuration: config.k is 1 there, 2 was asked for/)
    assert.match(found.differs, /the same configuration of toy, but rank 1 has/)
    assert.equal(found.failed, 'all ranks give up')
    assert.deepEqual(found.resumed, { reused: false, bodies: 3 })
  }
  const files = ['config.json', 'manifest.json', 'part-0.txt', 'part-1.txt', 'part-2.txt']
  for (const name of ['toy', 'failing']) {
    assert.deepEqual((await readdir(join(root, name))).sort(), files)
    const { file } = await openStage(join(root, name), 'toy')
    for (const payload of files.filter((name) => name.endsWith('.txt'))) await file(payload)
    assert.ok(!existsSync(join(root, `${name}.partial`)))
  }
  assert.ok(!existsSync(join(root, 'other.partial')))
})
