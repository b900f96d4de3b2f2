import assert from 'node:assert/strict'
import { open, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ActivationStore, openActivations } from '../../src/activations/activation-store.js'
import { createLiveSource } from '../../src/activations/live-source.js'
import { shardFile } from '../../src/activations/store-info.js'
import { createStoredSource, type StoredSourceOptions } from '../../src/activations/stored-source.js'
import { openCorpus } from '../../src/corpus/corpus.js'
import { loadTransformer } from '../../src/model/model-stage.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { sha256 } from '../../src/storage/atomic-file.js'
import { kernels, smallRun } from '../small-run.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { harvested, madeHooks, madeStore } from './harvested.js'

const source = (store: ActivationStore, options: Partial<StoredSourceOptions> = {}): ActivationSource =>
  createStoredSource(kernels, store, {
    hookName: madeHooks[0],
    seed: 1,
    bufferTokens: 40,
    dtype: 'f32',
    shardsAtOnce: 3,
    ...options,
  })

/** The rows of `count` batches, [count * batchSize][D]; of a transcoder those of inputs and targets side by side. */
async function rowsOf(from: ActivationSource, batchSize: number, skip: number, count: number) {
  const rows: number[][] = []
  for await (const batch of from.batches({ batchSize, skip })) {
    const tensors = 'x' in batch ? [batch.x, batch.y] : [batch]
    const values = await Promise.all(tensors.map((tensor) => kernels.readF32(tensor)))
    for (let n = 0; n < batchSize; n++)
      rows.push(
        values.flatMap((data) => {
          const d = data.length / batchSize
          return [...data.subarray(n * d, (n + 1) * d)]
        }),
      )
    if (rows.length >= count * batchSize) break
  }
  return rows
}

/** Which rows of the whole store the batches of `madeStore` hold. */
const idsOf = async (...given: Parameters<typeof rowsOf>): Promise<number[]> =>
  (await rowsOf(...given)).map(([id]) => id)

/** A store that notes which rows are read from its files. */
function watched(store: ActivationStore): { store: ActivationStore; reads: Map<number, [number, number][]> } {
  const reads = new Map<number, [number, number][]>()
  return {
    reads,
    store: {
      ...store,
      async openShard(hookName, shard) {
        const reader = await store.openShard(hookName, shard)
        return {
          ...reader,
          readRows(name, first, count, options) {
            reads.set(shard, [...(reads.get(shard) ?? []), [first, count]])
            return reader.readRows(name, first, count, options)
          },
        }
      },
    },
  }
}

const shardRows = [30, 31, 29, 7, 30, 30, 44, 1]
const total = shardRows.reduce((a, b) => a + b, 0)
const ascending = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const byNumber = (a: number, b: number): number => a - b

test('every epoch gives every row exactly once, whatever the sizes of buffer, batch and shards', async (t) => {
  const store = await openActivations(await madeStore(t, shardRows))
  for (const bufferTokens of [8, 40, 100, 10_000])
    for (const shardsAtOnce of [1, 3, 100])
      for (const batchSize of [1, 8]) {
        const from = source(store, { bufferTokens, shardsAtOnce })
        const count = Math.ceil((3 * total) / batchSize)
        const ids = await idsOf(from, batchSize, 0, count)
        const epochs = [0, 1, 2].map((epoch) => ids.slice(epoch * total, (epoch + 1) * total))
        const name = `buffer ${bufferTokens}, ${shardsAtOnce} shards, batch ${batchSize}`
        for (const rows of epochs) assert.deepEqual([...rows].sort(byNumber), ascending(total), name)
        assert.notDeepEqual(epochs[0], epochs[1], name)
      }
})

test('a batch larger than half the buffer takes rows of several blocks', async (t) => {
  const store = await openActivations(await madeStore(t, shardRows))
  const ids = await idsOf(source(store, { bufferTokens: 101 }), 101, 0, 2)
  assert.deepEqual([...ids].sort(byNumber), ascending(total), `${total} rows are two batches`)
})

test('each shard is read from its first row to its last, once an epoch', async (t) => {
  const { store, reads } = watched(await openActivations(await madeStore(t, shardRows)))
  await idsOf(source(store), 1, 0, 3 * total)
  assert.equal(reads.size, shardRows.length)
  for (const [shard, parts] of reads) {
    let [epochs, end] = [0, 0]
    for (const [first, count] of parts) {
      assert.equal(first, end, `shard ${shard} goes on where it was`)
      end = first + count
      if (end < shardRows[shard]) continue
      epochs++
      end = 0
    }
    // one block of the fourth epoch may be read ahead
    assert.ok(epochs === 3 || (epochs === 4 && shardRows[shard] < 20), `shard ${shard}: ${epochs} times`)
  }
})

test('skipping is the same as taking and ignoring, and reads nothing that comes before', async (t) => {
  const { store, reads } = watched(await openActivations(await madeStore(t, shardRows)))
  const all = await idsOf(source(store), 4, 0, 150)
  for (const skip of [1, 2, 5, 13, 37, 50, 51, 120]) {
    reads.clear()
    assert.deepEqual(await idsOf(source(store), 4, skip, 5), all.slice(4 * skip, 4 * (skip + 5)), `${skip}`)
    const read = [...reads.values()].flat().reduce((sum, [, count]) => sum + count, 0)
    assert.ok(read <= 5 * 22, `skip ${skip}: ${read} rows read for 20`)
  }
})

test('the seed decides the order, of shards and of rows', async (t) => {
  const store = await openActivations(await madeStore(t, shardRows))
  const [a, again, b] = await Promise.all([1, 1, 2].map((seed) => idsOf(source(store, { seed }), 8, 0, 20)))
  assert.deepEqual(a, again)
  assert.notDeepEqual(a, b)
})

test('rows of one window are spread as thinly as a shuffle of half the buffer can', async (t) => {
  const window = 50
  const store = await openActivations(await madeStore(t, Array(16).fill(1000), window))
  const [batchSize, bufferTokens] = [200, 4000]
  const ids = await idsOf(source(store, { bufferTokens, shardsAtOnce: 8 }), batchSize, 0, 80)
  let companions = 0
  for (let batch = 0; batch < 80; batch++) {
    const counts = new Map<number, number>()
    for (const id of ids.slice(batch * batchSize, (batch + 1) * batchSize)) {
      const key = Math.floor(id / window)
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    for (const count of counts.values()) companions += count * (count - 1)
  }
  const found = companions / ids.length
  const expected = ((batchSize - 1) * (window - 1)) / (bufferTokens / 2 - 1)
  assert.ok(Math.abs(found / expected - 1) < 0.1, `${found} others of its window in a batch, not ${expected}`)
  const shards = new Set(ids.slice(0, batchSize).map((id) => Math.floor(id / 1000)))
  assert.equal(shards.size, 8, 'a batch has rows of all shards that are read together')
})

test('input and target of a transcoder are of the same token', async (t) => {
  const store = await openActivations(await madeStore(t, shardRows))
  const pairs = source(store, { targetHookName: madeHooks[1] })
  assert.deepEqual([pairs.d, pairs.dOut, pairs.metadata?.hook_name_out], [2, 1, 'b'])
  const rows = await rowsOf(pairs, 8, 3, 40)
  for (const [id, one, target] of rows) assert.deepEqual([one, target], [1, -id])
})

test('a row of a batch is located in its shard and its document', async (t) => {
  const store = await openActivations(await madeStore(t, shardRows))
  const from = source(store)
  const starts = shardRows.map((_, i) => shardRows.slice(0, i).reduce((a, b) => a + b, 0))
  const ids = await idsOf(from, 8, 0, 60)
  for (const [batch, row] of [
    [0, 0],
    [3, 7],
    [30, 2],
    [59, 1],
  ]) {
    const id = ids[batch * 8 + row]
    const shard = starts.findLastIndex((start) => start <= id)
    assert.equal(
      await from.locate?.({ batch, row, batchSize: 8 }),
      `row ${id - starts[shard]} of ${shardFile('a', shard)}: position ${id % 10} of a window, in document ${Math.floor(id / 10)}`,
    )
  }
})

test('what cannot be read is refused: a hook point that is not there, a buffer below a batch', async (t) => {
  const store = await openActivations(await madeStore(t, shardRows))
  assert.throws(() => source(store, { hookName: 'c' }), { code: 'config', hint: /a, b/ })
  assert.throws(() => source(store, { targetHookName: 'c' }), { code: 'config' })
  await assert.rejects(rowsOf(source(store, { bufferTokens: 7 }), 8, 0, 1), {
    code: 'config',
    hint: /--buffer-tokens/,
  })
})

test('a flipped bit is found when the shard is first read, a cut file when the store is opened', async (t) => {
  const directory = await madeStore(t, [50, 50])
  const path = join(directory, shardFile('a', 1))
  const file = await open(path, 'r+')
  const { size } = await file.stat()
  await file.write(Uint8Array.of(77), 0, 1, size - 3)
  await file.close()
  const store = await openActivations(directory)
  await rowsOf(source(store, { hookName: 'b' }), 8, 0, 10)
  await assert.rejects(rowsOf(source(store), 8, 0, 20), { code: 'corrupt', message: /a-00001.*SHA-256/ })
  await truncate(path, size - 1)
  await assert.rejects(openActivations(directory), {
    code: 'corrupt',
    message: /a-00001.*expected \d+ bytes/,
  })
})

test('a stored and a live source give the same rows in an epoch, to the bit', async (t) => {
  const { inputs } = await smallRun(t, { collect: false })
  const out = join(await temporaryDirectory(t), 'a')
  const hooks = { hookName: 'blocks.0.mlp.hook_post', targetHookName: 'blocks.0.hook_mlp_out' }
  // a buffer of more than an epoch, so that the live source mixes no two of them
  const options = { ...hooks, seed: 3, bufferTokens: 10_000, dtype: 'f32' as const }
  const hook = Object.values(hooks)
  const store = await openActivations(await harvested(inputs, out, { hook, shardTokens: 200, seed: 9 }))
  const model = await loadTransformer(kernels, inputs.model)
  const live = createLiveSource(kernels, model, await openCorpus(inputs.corpus), {
    ...options,
    modelBatch: 4,
  })
  const stored = createStoredSource(kernels, store, options)
  assert.deepEqual(stored.metadata, live.metadata)
  assert.deepEqual([stored.d, stored.dOut], [live.d, live.dOut])
  const [a, b] = await Promise.all(
    [live, stored].map(async (from) =>
      (await rowsOf(from, 1, store.info.rows, store.info.rows)).map((row) => sha256(String(row))).sort(),
    ),
  )
  assert.deepEqual(a, b)
})
