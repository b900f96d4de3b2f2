import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyStrided, isContiguous, reach, rowMajorStrides } from '../../src/formats/strided-copy.js'

const copied = (length: number, shape: number[], strides: number[], offset = 0): number[] => {
  const target = new Float32Array(shape.reduce((a, b) => a * b, 1))
  if (target.length > 0)
    copyStrided(
      Float32Array.from({ length }, (_, i) => i),
      target,
      shape,
      strides,
      offset,
    )
  return [...target]
}

test('a transposed, an expanded and a shifted view are copied into row-major order', () => {
  assert.deepEqual(copied(6, [3, 2], [1, 3]), [0, 3, 1, 4, 2, 5])
  assert.deepEqual(copied(1, [2, 2], [0, 0]), [0, 0, 0, 0])
  assert.deepEqual(copied(10, [2, 1, 2], [3, 1, 2], 4), [4, 6, 7, 9])
  assert.deepEqual(copied(5, [], [], 3), [3])
  assert.deepEqual(copied(5, [0, 2], [1, 1]), [])
})

test('contiguous is what needs no copy', () => {
  assert.deepEqual(rowMajorStrides([2, 3, 4]), [12, 4, 1])
  assert.ok(isContiguous([2, 3], [3, 1]))
  assert.ok(isContiguous([1, 3], [77, 1]))
  assert.ok(isContiguous([], []))
  assert.ok(!isContiguous([2, 3], [1, 2]))
  assert.ok(!isContiguous([2, 3], [4, 1]))
})

test('the reach is the distance to the last element', () => {
  assert.equal(reach([2, 3], [3, 1]), 5)
  assert.equal(reach([2, 3], [1, 2]), 5)
  assert.equal(reach([], []), 0)
  assert.equal(reach([4, 0], [9, 9]), -1)
})
