import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/random/random.js'
import { assign } from '../../src/synthetic/assignment.js'

const columnsOf = (similarity: number[], rows: number, columns: number): number[] => [
  ...assign(Float32Array.from(similarity), rows, columns).columnOf,
]

/** Tries everything. */
function bestTotal(similarity: Float32Array, rows: number, columns: number): number {
  const search = (row: number, used: Set<number>, skips: number): number => {
    if (row === rows) return 0
    let best = skips > 0 ? search(row + 1, used, skips - 1) : -Infinity
    for (let column = 0; column < columns; column++) {
      if (used.has(column)) continue
      used.add(column)
      best = Math.max(best, similarity[row * columns + column] + search(row + 1, used, skips))
      used.delete(column)
    }
    return best
  }
  return search(0, new Set(), Math.max(0, rows - columns))
}

test('a matching by hand: the best pair gives way where two others gain more', () => {
  // greedy takes 0.9 and is left with 0.1: 1.0; the other way round gives 0.8 + 0.7
  assert.deepEqual(columnsOf([0.9, 0.8, 0.7, 0.1], 2, 2), [1, 0])
})

test('with more columns than rows some columns stay free, with more rows some rows', () => {
  assert.deepEqual(columnsOf([0.5, 0.9, 0.1, 0.4, 0.85, 0.3], 2, 3), [0, 1])
  assert.deepEqual(columnsOf([0.6, 0.4, 0.9, 0.8, 0.1, 0.3], 3, 2), [0, 1, -1])
})

test('one row, one column, none', () => {
  assert.deepEqual(columnsOf([0.1, 0.7, 0.3], 1, 3), [1])
  assert.deepEqual(columnsOf([0.1, 0.7, 0.3], 3, 1), [-1, 0, -1])
  assert.deepEqual(columnsOf([], 0, 4), [])
})

test('no other matching is better: every one is tried, on random and on tied similarities', () => {
  const random = Random.named(3, 'assignment')
  for (let trial = 0; trial < 200; trial++) {
    const [rows, columns] = [1 + random.int(6), 1 + random.int(6)]
    const tied = trial % 2 === 0
    const similarity = Float32Array.from({ length: rows * columns }, () =>
      tied ? random.int(3) : random.uniform(),
    )
    const { columnOf, total } = assign(similarity, rows, columns)
    const used = [...columnOf].filter((column) => column >= 0)
    assert.equal(used.length, Math.min(rows, columns))
    assert.equal(new Set(used).size, used.length)
    const expected = bestTotal(similarity, rows, columns)
    assert.ok(Math.abs(total - expected) < 1e-6, `trial ${trial}: ${rows} x ${columns}`)
  }
})

test('it finds a hidden permutation among many, whatever the noise below it', () => {
  const [rows, columns] = [300, 700]
  const random = Random.named(4, 'assignment')
  const hidden = [...Array(columns).keys()].sort((a, b) => ((a * 7919) % columns) - ((b * 7919) % columns))
  const similarity = Float32Array.from({ length: rows * columns }, () => 0.2 * random.uniform())
  for (let row = 0; row < rows; row++) similarity[row * columns + hidden[row]] = 0.5 + 0.5 * random.uniform()
  assert.deepEqual([...assign(similarity, rows, columns).columnOf], hidden.slice(0, rows))
})
