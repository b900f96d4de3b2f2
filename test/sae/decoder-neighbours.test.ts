import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { silentProgress } from '../../src/progress/progress.js'
import { Random } from '../../src/random/random.js'
import { decoderNeighbours } from '../../src/sae/decoder-neighbours.js'

const native = await loadKernels({ threads: 2 })

function cosine(a: Float32Array, b: Float32Array): number {
  let [product, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i]
    aa += a[i] * a[i]
    bb += b[i] * b[i]
  }
  return aa === 0 || bb === 0 ? 0 : product / Math.sqrt(aa * bb)
}

/** Every pair, sorted. */
function bruteForce(rows: Float32Array[], k: number) {
  return rows.map((row, i) =>
    rows
      .map((other, j) => ({ row: j, cosine: cosine(row, other) }))
      .filter(({ row }) => row !== i)
      .sort((a, b) => b.cosine - a.cosine || a.row - b.row)
      .slice(0, k),
  )
}

const [n, d, k] = [1500, 24, 15]
const random = Random.named(1, 'directions')
const directions = Array.from({ length: n }, (_, i) =>
  Float32Array.from({ length: d }, () => (1 + (i % 7)) * random.normal()),
)
const flat = (rows: readonly Float32Array[]): Float32Array =>
  Float32Array.from(rows.flatMap((row) => Array.from(row)))

test('the k nearest of every decoder row are those of a search over all pairs, whatever its length', async () => {
  const found = await decoderNeighbours(native, native.tensor(flat(directions), [n, d]), k)
  assert.equal(found.k, k)
  // Places may be swapped between cosines that differ by less than single precision can tell.
  for (const [i, expected] of bruteForce(directions, k).entries())
    for (const [j, { cosine: best }] of expected.entries()) {
      const row = found.rows[i * k + j]
      assert.ok(Math.abs(found.cosines[i * k + j] - best) < 1e-6)
      assert.ok(Math.abs(cosine(directions[i], directions[row]) - best) < 1e-6)
    }
})

test('opposite, equal and zero rows have the neighbours that their cosines say', async () => {
  for (const kernels of [native, createReferenceKernels()]) {
    const rows = Float32Array.of(1, 0, -2, 0, 3, 0, 0, 0, 0, 1)
    const found = await decoderNeighbours(kernels, kernels.tensor(rows, [5, 2]), 10)
    assert.equal(found.k, 4)
    assert.deepEqual(Array.from(found.rows.subarray(0, 4)), [2, 3, 4, 1])
    assert.deepEqual(Array.from(found.cosines.subarray(0, 4)), [1, 0, 0, -1])
    assert.deepEqual(Array.from(found.rows.subarray(4, 8)), [3, 4, 0, 2])
    assert.deepEqual(Array.from(found.cosines.subarray(12, 16)), [0, 0, 0, 0])
  }
})

test('more equal rows than neighbours leave every row out of its own', async () => {
  const rows = new Float32Array(40 * 3).fill(0.5)
  const found = await decoderNeighbours(native, native.tensor(rows, [40, 3]), 5)
  for (let i = 0; i < 40; i++) assert.ok(!found.rows.subarray(i * 5, (i + 1) * 5).includes(i))
  assert.ok(found.cosines.every((cosine) => Math.abs(cosine - 1) < 1e-6))
})

test('a single row has no neighbours, and a search can be interrupted', async () => {
  const one = await decoderNeighbours(native, native.tensor(Float32Array.of(1, 2), [1, 2]), 15)
  assert.deepEqual(one, { k: 0, rows: new Int32Array(0), cosines: new Float32Array(0) })
  const signal = AbortSignal.abort()
  const search = decoderNeighbours(native, native.tensor(flat(directions), [n, d]), k, {
    progress: silentProgress,
    signal,
  })
  await assert.rejects(search, { code: 'interrupted' })
})
