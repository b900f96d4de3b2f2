import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SymmetricEigen, symmetricEigen } from '../../src/baselines/symmetric-eigen.js'
import { Random } from '../../src/random/random.js'

const close = (actual: number, expected: number, tolerance: number, what = ''): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what} ${actual}, expected ${expected}`)

/** X^T X of random rows: symmetric, and of rank at most `rows`. */
function gram(n: number, rows: number, seed = 1): Float64Array {
  const random = new Random(seed)
  const x = Array.from({ length: rows }, () => Array.from({ length: n }, () => random.normal()))
  return Float64Array.from({ length: n * n }, (_, at) =>
    x.reduce((sum, row) => sum + row[Math.floor(at / n)] * row[at % n], 0),
  )
}

/** The vectors are orthonormal, and A v = lambda v, to rounding. */
function assertDecomposes(matrix: Float64Array, n: number, { values, vectors }: SymmetricEigen): void {
  const size = Math.max(...matrix.map(Math.abs), 1)
  for (let i = 0; i < n; i++) {
    if (i > 0) assert.ok(values[i] <= values[i - 1], 'descending')
    for (let row = 0; row < n; row++) {
      let [product, along] = [0, 0]
      for (let c = 0; c < n; c++) {
        product += matrix[row * n + c] * vectors[i * n + c]
        along += vectors[row * n + c] * vectors[i * n + c]
      }
      close(product, values[i] * vectors[i * n + row], 1e-12 * n * size, `A v of ${i}`)
      close(along, i === row ? 1 : 0, 1e-13 * n, `vectors ${i} and ${row}`)
    }
  }
}

test('eigenvalues that pen and paper find: 2 x 2, and the second differences 2 - 2 cos(k pi / (n + 1))', () => {
  const { values, vectors } = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2)
  close(values[0], 3, 1e-15)
  close(values[1], 1, 1e-15)
  close(Math.abs(vectors[0]), Math.SQRT1_2, 1e-15)
  close(vectors[0], vectors[1], 1e-15)

  const n = 40
  const differences = Float64Array.from({ length: n * n }, (_, at) => {
    const distance = Math.abs(Math.floor(at / n) - (at % n))
    return distance === 0 ? 2 : distance === 1 ? -1 : 0
  })
  const found = symmetricEigen(differences, n)
  found.values.forEach((value, i) => {
    close(value, 2 - 2 * Math.cos(((n - i) * Math.PI) / (n + 1)), 1e-13)
  })
  assertDecomposes(differences, n, found)
})

test('random matrices of many sizes come apart into orthonormal vectors', () => {
  for (const n of [1, 2, 3, 4, 17, 64]) {
    const matrix = gram(n, 2 * n)
    assertDecomposes(matrix, n, symmetricEigen(matrix, n))
  }
})

test('a matrix of rank 3 has 3 eigenvalues, others are zero to rounding', () => {
  const n = 30
  const matrix = gram(n, 3)
  const found = symmetricEigen(matrix, n)
  assertDecomposes(matrix, n, found)
  assert.ok(found.values[2] > 1)
  for (const value of found.values.subarray(3)) close(value, 0, 1e-12)
})

test('equal eigenvalues, a diagonal and a matrix of zeros', () => {
  for (const diagonal of [
    [1, 1, 1, 1],
    [3, -2, 0, 1e-9, 5],
    [0, 0, 0],
  ]) {
    const n = diagonal.length
    const matrix = Float64Array.from({ length: n * n }, (_, at) =>
      at % (n + 1) === 0 ? diagonal[at / (n + 1)] : 0,
    )
    const found = symmetricEigen(matrix, n)
    assertDecomposes(matrix, n, found)
    assert.deepEqual(
      [...found.values],
      diagonal.sort((a, b) => b - a),
    )
  }
})

test('the matrix is left as it was, and NaN is refused', () => {
  const matrix = gram(5, 9)
  const before = matrix.slice()
  symmetricEigen(matrix, 5)
  assert.deepEqual(matrix, before)
  matrix[7] = Number.NaN
  assert.throws(() => symmetricEigen(matrix, 5), { code: 'diverged', message: /NaN or infinity/ })
})
