import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { singleRank } from '../../src/distributed/communicator.js'
import { type Slice, sliceOf } from '../../src/distributed/mesh.js'
import { loadCheckpoint, openCheckpointShare, saveCheckpoint } from '../../src/formats/checkpoint.js'
import type { SafeTensor } from '../../src/formats/safetensors.js'
import { fakeRanks } from '../distributed/fake-ranks.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-checkpoint-'))
})
afterEach(() => rm(directory, { recursive: true }))

const tensors = (value: number) => ({ w: { shape: [2], data: Float32Array.of(value, 1 / 3) } })
const corrupt = { code: 'corrupt', hint: /remove/ }

test('a directory without a checkpoint gives null', async () => {
  assert.equal(await loadCheckpoint(directory), null)
})

test('the last checkpoint is the one that loads, and older ones are removed', async () => {
  for (const step of [1, 2, 3]) await saveCheckpoint(directory, { step, x: 0.1 + 0.2 }, tensors(step))
  assert.deepEqual((await readdir(directory)).sort(), ['checkpoint-3.safetensors', 'checkpoint.json'])
  const checkpoint = await loadCheckpoint(directory)
  assert.deepEqual(checkpoint?.state, { step: 3, x: 0.1 + 0.2 })
  assert.deepEqual(checkpoint?.tensors.w.data, Float32Array.of(3, 1 / 3))
})

test('a crash between the tensors and checkpoint.json leaves the earlier checkpoint in force', async () => {
  await saveCheckpoint(directory, { step: 1 }, tensors(1))
  await writeFile(join(directory, 'checkpoint-2.safetensors'), 'half written')
  assert.deepEqual((await loadCheckpoint(directory))?.state, { step: 1 })
  await saveCheckpoint(directory, { step: 3 }, tensors(3))
  assert.deepEqual((await loadCheckpoint(directory))?.state, { step: 3 })
  assert.deepEqual((await readdir(directory)).length, 2)
})

test('one flipped bit in the tensors or in the state is found', async () => {
  await saveCheckpoint(directory, { step: 12 }, tensors(1))
  const path = join(directory, 'checkpoint-1.safetensors')
  const bytes = await readFile(path)
  bytes[bytes.length - 1] ^= 1
  await writeFile(path, bytes)
  await assert.rejects(loadCheckpoint(directory), { ...corrupt, message: /expected SHA-256/ })
  bytes[bytes.length - 1] ^= 1
  await writeFile(path, bytes)
  const index = await readFile(join(directory, 'checkpoint.json'), 'utf8')
  await writeFile(join(directory, 'checkpoint.json'), index.replace('"step":12', '"step":13'))
  await assert.rejects(loadCheckpoint(directory), { ...corrupt, message: /state does not match/ })
})

test('a checkpoint with a missing file, broken JSON or a foreign path is refused', async () => {
  await saveCheckpoint(directory, { step: 1 }, tensors(1))
  const path = join(directory, 'checkpoint.json')
  const index = await readFile(path, 'utf8')
  await writeFile(path, index.slice(0, -5))
  await assert.rejects(loadCheckpoint(directory), { ...corrupt, message: /expected JSON/ })
  await writeFile(path, index.replace('checkpoint-1.safetensors', '../checkpoint-1.safetensors'))
  await assert.rejects(loadCheckpoint(directory), corrupt)
  await writeFile(path, 'null')
  await assert.rejects(loadCheckpoint(directory), corrupt)
  await writeFile(path, index)
  await rm(join(directory, 'checkpoint-1.safetensors'))
  await assert.rejects(loadCheckpoint(directory), { ...corrupt, message: /is missing/ })
})

// ---- several ranks ----

const [rows, width] = [11, 3]
const matrix = Float32Array.from({ length: rows * width }, (_, i) => i / 7)
const counts = Int32Array.from({ length: rows }, (_, j) => 100 - j)

const partOf = ({ first, count }: Slice) => ({
  w: { shape: [count, width], data: matrix.slice(first * width, (first + count) * width) },
  counts: { shape: [count], data: counts.slice(first, first + count) },
  bias: { shape: [2], data: Float32Array.of(1, -1) },
})

const save = (step: number, size: number) =>
  Promise.all(
    fakeRanks(size).map((ranks) => {
      const slice = sliceOf(rows, ranks)
      return saveCheckpoint(directory, { step, rank: ranks.rank }, partOf(slice), { ranks, rows: slice })
    }),
  )

const loadOn = (size: number) =>
  Promise.all(
    fakeRanks(size).map(async (ranks) => {
      const slice = sliceOf(rows, ranks)
      const checkpoint = await openCheckpointShare(directory, { ranks, rows: slice })
      if (!checkpoint) return null
      const { state } = checkpoint
      const [w, found, bias] = [
        await checkpoint.readRows('w'),
        await checkpoint.readRows('counts'),
        await checkpoint.read('bias'),
      ]
      await checkpoint.close()
      const plain = ({ shape, data }: SafeTensor) => ({ shape, data })
      assert.deepEqual({ w: plain(w), counts: plain(found), bias: plain(bias) }, partOf(slice))
      return state
    }),
  )

test('what some ranks wrote any number of ranks reads, each its rows', async () => {
  assert.deepEqual(await loadOn(2), [null, null])
  for (const writers of [1, 2, 4, 11, 3]) {
    await save(writers, writers)
    for (const readers of [1, 2, 3, 5, 11])
      for (const state of await loadOn(readers)) assert.deepEqual(state, { step: writers, rank: 0 })
    assert.equal((await readdir(directory)).length, writers + 1, 'older files are gone')
  }
})

test('a rank reads no file without its rows; a broken one is refused by those that need it', async () => {
  await save(1, 4)
  const broken = join(directory, 'checkpoint-1-rank3of4.safetensors')
  await writeFile(broken, 'other bytes')
  const open = (rank: number) =>
    openCheckpointShare(directory, {
      ranks: { ...singleRank, rank: 0 },
      rows: sliceOf(rows, { rank, size: 2 }),
    })
  await (await open(0))?.close()
  await assert.rejects(open(1), { ...corrupt, message: /rank3of4.*expected SHA-256/ })
  await rm(broken)
  await assert.rejects(open(1), { ...corrupt, message: /is missing/ })
  await assert.rejects(openCheckpointShare(directory, { ranks: singleRank, rows: { first: 10, count: 2 } }), {
    ...corrupt,
    message: /expected rows 10 to 11, got 1/,
  })
})

test('ranks that were killed before checkpoint.json was replaced leave the earlier checkpoint in force', async () => {
  await save(1, 2)
  await writeFile(join(directory, 'checkpoint-2-rank0of3.safetensors'), 'whole')
  await writeFile(join(directory, 'checkpoint-2-rank1of3.safetensors.tmp'), 'half')
  assert.deepEqual(await loadOn(3), Array(3).fill({ step: 1, rank: 0 }))
  await save(3, 2)
  assert.deepEqual((await loadOn(1))[0], { step: 3, rank: 0 })
  const left = (await readdir(directory)).filter((name) => name.endsWith('.safetensors'))
  assert.deepEqual(left.sort(), ['checkpoint-3-rank0of2.safetensors', 'checkpoint-3-rank1of2.safetensors'])
})

test('a checkpoint from before ranks wrote them, one file, is still read', async () => {
  await save(5, 1)
  const path = join(directory, 'checkpoint.json')
  const { parts, ...rest } = JSON.parse(await readFile(path, 'utf8'))
  const { file, sha256 } = parts[0]
  await writeFile(path, JSON.stringify({ file, sha256, ...rest }))
  assert.deepEqual(await loadOn(2), Array(2).fill({ step: 5, rank: 0 }))
  assert.deepEqual((await loadCheckpoint(directory))?.tensors.counts.data, counts)
})
