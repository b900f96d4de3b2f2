import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activationMoments } from '../../src/baselines/activation-moments.js'
import { signedBasis, signedBasisForm, unitVectors } from '../../src/baselines/signed-basis.js'
import { symmetricEigen } from '../../src/baselines/symmetric-eigen.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { silentProgress } from '../../src/progress/progress.js'
import { Random } from '../../src/random/random.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { createSaeParts, decode, encode } from '../../src/sae/sae.js'

const context = { progress: silentProgress }
const both = [createReferenceKernels(), await loadKernels()]

const close = (actual: number, expected: number, tolerance: number, what = ''): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what} ${actual}, expected ${expected}`)

/** Rows that repeat in batches. */
function sourceOf(kernels: Kernels, rows: readonly (readonly number[])[]): ActivationSource {
  const d = rows[0].length
  return {
    d,
    async *batches({ batchSize, skip }) {
      for (let at = skip * batchSize; ; at += batchSize) {
        const batch = Array.from({ length: batchSize }, (_, i) => rows[(at + i) % rows.length])
        yield kernels.tensor(Float32Array.from(batch.flat()), [batchSize, d])
      }
    },
  }
}

/** n rows offset + sum of `rank` random directions with normal weights of deviation 1, 2, ... */
function lowRank(n: number, d: number, rank: number, offset: number): number[][] {
  const random = new Random(4)
  const directions = Array.from({ length: rank }, () => Array.from({ length: d }, () => random.normal()))
  return Array.from({ length: n }, () => {
    const weights = directions.map((_, i) => (i + 1) * random.normal())
    return Array.from({ length: d }, (_, c) =>
      weights.reduce((sum, w, i) => sum + w * directions[i][c], offset),
    )
  })
}

const momentsOf = (kernels: Kernels, rows: number[][], batchSize: number) =>
  activationMoments(kernels, sourceOf(kernels, rows), { tokens: rows.length, batchSize }, context)

/** x after encoding and decoding with an orthonormal basis, k coordinates a token. */
async function reconstruct(
  kernels: Kernels,
  rows: number[][],
  { directions, mean, k }: { directions: Float64Array; mean: Float64Array; k: number },
) {
  const parts = createSaeParts(kernels, signedBasis(directions, mean), signedBasisForm(k))
  const shape = [rows.length, rows[0].length]
  const x = kernels.tensor(Float32Array.from(rows.flat()), shape)
  const xHat = kernels.zeros(shape)
  const codes = await encode(parts, x)
  decode(parts, xHat, codes)
  return { codes, xHat: await kernels.readF32(xHat) }
}

test('mean and covariance are those of the formula, however large the mean is', async () => {
  for (const kernels of both)
    for (const offset of [0, 1000]) {
      const rows = lowRank(60, 5, 5, offset).map((row) => row.map(Math.fround))
      const { mean, covariance, tokens } = await momentsOf(kernels, rows, 20)
      assert.equal(tokens, 60)
      for (let i = 0; i < 5; i++) {
        const meanOf = (c: number): number => rows.reduce((sum, row) => sum + row[c], 0) / 60
        close(mean[i], meanOf(i), 1e-4, 'mean')
        for (let j = 0; j < 5; j++) {
          const expected = rows.reduce((sum, r) => sum + (r[i] - meanOf(i)) * (r[j] - meanOf(j)), 0) / 60
          close(covariance[i * 5 + j], expected, 1e-3, `covariance at offset ${offset}`)
        }
      }
    }
})

test('the principal components of data of rank k reconstruct it with k of them, and not with fewer', async () => {
  for (const kernels of both) {
    const [d, rank] = [12, 4]
    const rows = lowRank(200, d, rank, 30)
    const { mean, covariance } = await momentsOf(kernels, rows, 50)
    const { values, vectors } = symmetricEigen(covariance, d)
    assert.ok(values[rank - 1] > 0.1)
    close(values[rank], 0, 1e-4)
    const exact = await reconstruct(kernels, rows, { directions: vectors, mean, k: rank })
    exact.xHat.forEach((value, i) => {
      close(value, rows[Math.floor(i / d)][i % d], 1e-3)
    })
    const less = await reconstruct(kernels, rows, { directions: vectors, mean, k: rank - 1 })
    const error = less.xHat.reduce((sum, value, i) => sum + (value - rows[Math.floor(i / d)][i % d]) ** 2, 0)
    assert.ok(error / rows.length > 0.01)
  }
})

test('the neuron basis keeps the k coordinates that are furthest from the mean, exactly', async () => {
  const mean = Float64Array.of(1, -2, 0.5, 3, 0)
  const rows = [
    [1.5, -6, 0.5, 5, 0.25],
    [1, -2, 0.5, 3, 0],
    [-8, -1, 2.5, 3.5, -4],
  ]
  for (const kernels of both) {
    const directions = unitVectors(5)
    const { codes, xHat } = await reconstruct(kernels, rows, { directions, mean, k: 2 })
    // feature 5 + i is neuron i below its mean
    assert.deepEqual([...codes.rowOffsets], [0, 2, 2, 4])
    assert.deepEqual([...codes.featureIds], [3, 6, 5, 9])
    assert.deepEqual([...codes.values], [2, 4, 9, 4])
    assert.deepEqual([...xHat], [1, -6, 0.5, 5, 0, ...mean, -8, -2, 0.5, 3, -4])
  }
})

test('with as many coordinates as there are, any basis reconstructs everything', async () => {
  const rows = lowRank(50, 6, 6, 2)
  const kernels = both[0]
  const { mean, covariance } = await momentsOf(kernels, rows, 10)
  for (const directions of [unitVectors(6), symmetricEigen(covariance, 6).vectors]) {
    const { xHat } = await reconstruct(kernels, rows, { directions, mean, k: 6 })
    xHat.forEach((value, i) => {
      close(value, rows[Math.floor(i / 6)][i % 6], 1e-4)
    })
  }
})

test('activations that are not numbers are refused', async () => {
  const rows = [
    [1, 2],
    [Number.NaN, 3],
  ]
  for (const kernels of both) await assert.rejects(momentsOf(kernels, rows, 2), { code: 'diverged' })
})
