import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPairTable, pairsOf, readPairs } from '../../src/features/pair-table.js'
import type { Codes, SaePairs } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { Random } from '../../src/random/random.js'

const kernels = createReferenceKernels()
const columns = 400

/** Chunks of (column, value): some columns are far more frequent than others. */
function chunksOf(length: number, chunk: number): [number, number][][] {
  const random = Random.named(3, 'pairs')
  const stream = Array.from({ length }, (): [number, number] => [
    Math.floor(columns * random.uniform() ** 4),
    Math.exp(random.normal()),
  ])
  return Array.from({ length: length / chunk }, (_, i) => stream.slice(i * chunk, (i + 1) * chunk))
}

/** One active id with one value in each row. */
const single = (ids: number[], values: number[]): Codes => ({
  rowOffsets: Int32Array.from({ length: ids.length + 1 }, (_, row) => row),
  featureIds: Int32Array.from(ids),
  values: Float32Array.from(values),
})

/** The table of three features after feature 2 alone has met the chunks. */
async function filled(weighBy: SaePairs['weighBy'], maximum: number, chunks: [number, number][][]) {
  const table = createPairTable(kernels, 3, columns, weighBy, maximum)
  for (const chunk of chunks) {
    const ids = chunk.map(([column]) => column)
    const values = chunk.map(([, value]) => value)
    const feature = single(new Array(chunk.length).fill(2), values)
    kernels.saeAddPairs(table.pairs, feature, single(ids, new Array(chunk.length).fill(1)))
  }
  return readPairs(table, 1, 2)
}

/** column -> [count, sum] */
function counted(chunks: [number, number][][]): Map<number, [number, number]> {
  const all = new Map<number, [number, number]>()
  for (const [column, value] of chunks.flat()) {
    const [count, sum] = all.get(column) ?? [0, 0]
    all.set(column, [count + 1, sum + value])
  }
  return all
}

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-5 * Math.abs(b)

test('a table with room for every column counts exactly and misses nothing', async () => {
  const chunks = chunksOf(3000, 100)
  const block = await filled('count', 3 * columns, chunks)
  const expected = counted(chunks)
  assert.equal(block.capacity, columns)
  assert.deepEqual(pairsOf(block, 1), [])
  const pairs = pairsOf(block, 2)
  assert.equal(pairs.length, expected.size)
  for (const { column, count, sum, missed } of pairs) {
    const [wanted, wantedSum] = expected.get(column) ?? [0, 0]
    assert.equal(count, wanted)
    assert.ok(near(sum, wantedSum))
    assert.equal(missed, 0)
  }
  assert.equal(block.missed[1], 0)
})

for (const weighBy of ['count', 'sum'] as const)
  test(`a full table keeps what weighs most by ${weighBy}, and bounds what it missed`, async () => {
    const chunks = chunksOf(6000, 60)
    const block = await filled(weighBy, 1, chunks)
    assert.equal(block.capacity, 128)
    const which = weighBy === 'count' ? 0 : 1
    const exact = counted(chunks)
    const total = [...exact.values()].reduce((sum, pair) => sum + pair[which], 0)
    const missed = block.missed[1]
    assert.ok(missed > 0 && missed <= total / 129, 'the guarantee of Misra-Gries')
    const kept = new Map(pairsOf(block, 2).map((pair) => [pair.column, pair]))
    assert.equal(kept.size, 128)
    for (const [column, pair] of exact) {
      const found = kept.get(column)
      if (!found) {
        assert.ok(pair[which] <= missed * (1 + 1e-6))
        continue
      }
      const weight = found[weighBy]
      assert.ok(weight <= pair[which] * (1 + 1e-6))
      assert.ok(pair[which] <= (weight + found.missed) * (1 + 1e-6))
    }
  })
