import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { singleRank } from '../../src/distributed/communicator.js'
import { inOrder } from '../../src/distributed/in-order.js'
import { sliceOf } from '../../src/distributed/mesh.js'
import { noMpi } from './find-mpi.js'
import { runRanks } from './run-ranks.js'

test('on one rank every collective is the identity', async () => {
  assert.deepEqual(await singleRank.gather(new Uint8Array([1, 2])), [new Uint8Array([1, 2])])
  assert.deepEqual(await singleRank.sum([1, 2]), new Float64Array([1, 2]))
  const items: number[] = []
  for await (const item of inOrder(singleRank, 5, async (i) => i * i)) items.push(item)
  assert.deepEqual(items, [0, 1, 4, 9, 16])
})

test('whoever stops early waits for the item that is under way', async () => {
  let done = 0
  const compute = async (i: number): Promise<number> => {
    await setTimeout(5)
    done++
    return i
  }
  for await (const item of inOrder(singleRank, 5, compute)) if (item === 1) break
  assert.equal(done, 3)
})

test('slices cover everything once, and differ by one at most', () => {
  for (const [total, size] of [
    [10, 3],
    [2, 4],
    [8, 4],
    [1000, 7],
  ]) {
    const slices = Array.from({ length: size }, (_, rank) => sliceOf(total, { rank, size }))
    assert.equal(slices.at(-1)!.first + slices.at(-1)!.count, total)
    for (let i = 1; i < size; i++) assert.equal(slices[i].first, slices[i - 1].first + slices[i - 1].count)
    const counts = slices.map(({ count }) => count)
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
  }
})

test('collectives of 3 ranks', { skip: noMpi ?? false }, async () => {
  const { code, stdout, stderr } = await runRanks(3, 'test/distributed/programs/collectives.js')
  assert.equal(code, 0, stderr)
  const all = JSON.parse(stdout)
  assert.equal(all.length, 3)
  for (const [rank, found] of all.entries()) {
    assert.equal(found.size, 3)
    assert.equal(found.gathered, rank !== 1)
    assert.deepEqual(found.allGathered, ['', '1', '22'])
    assert.deepEqual(found.sum, [3, 3, 1.5])
    assert.deepEqual(found.max, [2, 0])
    assert.deepEqual(
      found.half,
      [
        [0, 2, 2],
        [0, 1, 1],
        [1, 2, 2],
      ][rank],
    )
    assert.deepEqual(found.large, [3_000_000, 7, 7])
    assert.deepEqual(found.items, rank === 0 ? [0, 1, 4, 9, 16, 25, 36] : [])
    assert.deepEqual(found.everywhere, [0, 1])
    assert.deepEqual(found.value, { a: { 0: 1, 1: 2 }, b: null })
    assert.deepEqual(found.values, rank === 0 ? [{ rank: 0 }, { rank: 1 }, { rank: 2 }] : null)
    assert.deepEqual(found.allValues, [0, 1, 2])
  }
})
