import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addRow,
  addToRow,
  createPairTable,
  createRowSums,
  type PairTable,
  pairsOf,
} from '../../src/features/pair-table.js'
import { Random } from '../../src/random/random.js'

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

function filled(table: PairTable, row: number, chunks: [number, number][][]): PairTable {
  const sums = createRowSums(columns)
  for (const chunk of chunks) {
    for (const [column, value] of chunk) addToRow(sums, column, value)
    addRow(table, row, sums)
  }
  return table
}

/** column -> [count, sum], in the order of the stream */
function counted(chunks: [number, number][][]): Map<number, [number, number]> {
  const all = new Map<number, [number, number]>()
  for (const [column, value] of chunks.flat()) {
    const [count, sum] = all.get(column) ?? [0, 0]
    all.set(column, [count + 1, sum + value])
  }
  return all
}

test('a table with room for every column counts exactly and misses nothing', () => {
  const chunks = chunksOf(3000, 100)
  const table = filled(createPairTable(2, columns, 'count', 2 * columns), 1, chunks)
  const expected = counted(chunks)
  assert.equal(table.capacity, columns)
  assert.equal(pairsOf(table, 0).length, 0)
  assert.equal(pairsOf(table, 1).length, expected.size)
  for (const { column, count, sum, missed } of pairsOf(table, 1)) {
    assert.equal(count, expected.get(column)?.[0])
    assert.ok(Math.abs(sum - (expected.get(column)?.[1] ?? 0)) < 1e-9)
    assert.equal(missed, 0)
  }
  assert.equal(table.missed[1], 0)
})

for (const weighBy of ['count', 'sum'] as const)
  test(`a full table keeps what weighs most by ${weighBy}, and bounds what it missed`, () => {
    const chunks = chunksOf(6000, 60)
    const table = filled(createPairTable(3, columns, weighBy, 1), 2, chunks)
    assert.equal(table.capacity, 128)
    const which = weighBy === 'count' ? 0 : 1
    const exact = counted(chunks)
    const total = [...exact.values()].reduce((sum, pair) => sum + pair[which], 0)
    assert.ok(table.missed[2] > 0 && table.missed[2] <= total / 129)
    const kept = new Map(pairsOf(table, 2).map((pair) => [pair.column, pair]))
    assert.equal(kept.size, 128)
    for (const [column, pair] of exact) {
      const found = kept.get(column)
      if (!found) {
        assert.ok(pair[which] <= table.missed[2] + 1e-9)
        continue
      }
      const weight = weighBy === 'count' ? found.count : found.sum
      assert.ok(weight <= pair[which] + 1e-9 && pair[which] <= weight + found.missed + 1e-9)
    }
  })
