import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Codes } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { emptyPairs } from './parity-sae-statistics.js'

const kernels = createReferenceKernels()

const codes = (rowOffsets: number[], featureIds: number[], values: number[]): Codes => ({
  rowOffsets: Int32Array.from(rowOffsets),
  featureIds: Int32Array.from(featureIds),
  values: Float32Array.from(values),
})

// three tokens: features 0 and 2, none, feature 2
const three = codes([0, 2, 2, 3], [0, 2, 2], [2, 3, 5])

test('saeAddProducts adds codes^T x, hand-computed', async () => {
  const x = kernels.tensor(Float32Array.of(1, 10, 7, 7, 2, 20), [3, 2])
  const out = kernels.tensor(Float32Array.of(1, 1, 1, 1, 1, 1), [3, 2])
  kernels.saeAddProducts(out, three, x)
  assert.deepEqual([...(await kernels.readF32(out))], [3, 21, 1, 1, 14, 131])
})

test('saeCompare finds errors, products, norms and distances from a centre, hand-computed', async () => {
  const y = kernels.tensor(Float32Array.of(3, 4, 1, 0, 0, 0), [3, 2])
  const xHat = kernels.tensor(Float32Array.of(4, 3, 0, 2, 1, 1), [3, 2])
  const [sums, shift] = [kernels.zeros([3, 5]), kernels.zeros([2])]
  kernels.saeCompare(sums, shift, y, xHat, kernels.tensor(Float32Array.of(1, 2), [2]))
  const expected = [
    [2, 24, 25, 25, 4 + 4],
    [5, 0, 1, 4, 0 + 4],
    [2, 0, 0, 2, 1 + 4],
  ]
  assert.deepEqual([...(await kernels.readF32(sums))], expected.flat())
  assert.deepEqual([...(await kernels.readF32(shift))], [1, -2])
})

test('saeAddPairs counts tokens and adds products of every pair, hand-computed', async () => {
  const pairs = emptyPairs(kernels, 3, 3, 3)
  kernels.saeAddPairs(pairs, three, three)
  assert.deepEqual([...(await kernels.read(pairs.count))], [1, 0, 1, 0, 0, 0, 1, 0, 2])
  assert.deepEqual([...(await kernels.read(pairs.sum))], [4, 0, 6, 0, 0, 0, 6, 0, 34])
})

test('a full table lets its lightest columns go and remembers the most that they can weigh, hand-computed', async () => {
  const pairs = emptyPairs(kernels, 1, 9, 2)
  const meet = (...columns: number[]): void => {
    const rows = columns.map((_, row) => row)
    const feature = codes(
      [...rows, columns.length],
      rows.fill(0),
      columns.map(() => 1),
    )
    kernels.saeAddPairs(pairs, feature, { ...feature, featureIds: Int32Array.from(columns) })
  }
  const state = async () => {
    const [ids, counts, before, missed] = await Promise.all(
      [pairs.ids, pairs.count, pairs.before, pairs.missed].map((t) => t && kernels.read(t)),
    )
    return [ids, counts, before, missed].map((list) => [...(list ?? [])])
  }
  meet(4, 4, 4, 7, 8)
  // 7 and 8 weigh the same: 7 came first
  assert.deepEqual(await state(), [[4, 7], [3, 1], [0, 0], [1]])
  meet(5, 5)
  // 5 may have come once before it is kept, as 8 did
  assert.deepEqual(await state(), [[4, 5], [3, 2], [0, 1], [1]])
  meet(8)
  // 8 weighs 1 + 1 at most, less than what is kept
  assert.deepEqual(await state(), [[4, 5], [3, 2], [0, 1], [2]])
})
