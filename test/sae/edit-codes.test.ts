import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Codes } from '../../src/kernels/kernels.js'
import { setFeature } from '../../src/sae/edit-codes.js'

/** Three tokens: features 1 and 4; none; 4. */
const codes = {
  rowOffsets: Int32Array.of(0, 2, 2, 3),
  featureIds: Int32Array.of(1, 4, 4),
  values: Float32Array.of(0.5, 2, 8),
}

const plain = ({ rowOffsets, featureIds, values }: Codes) => [[...rowOffsets], [...featureIds], [...values]]

test('a feature is set on every token, in the order of ids', () => {
  assert.deepEqual(plain(setFeature(codes, 2, 3)), [
    [0, 3, 4, 6],
    [1, 2, 4, 2, 2, 4],
    [0.5, 3, 2, 3, 3, 8],
  ])
  assert.deepEqual(plain(setFeature(codes, 7, 1)), [
    [0, 3, 4, 6],
    [1, 4, 7, 7, 4, 7],
    [0.5, 2, 1, 1, 8, 1],
  ])
})

test('set to 0 it is left out, and a function sees what is there', () => {
  assert.deepEqual(plain(setFeature(codes, 4, 0)), [[0, 1, 1, 1], [1], [0.5]])
  const seen: number[][] = []
  const doubled = setFeature(codes, 4, (activation, token) => {
    seen.push([activation, token])
    return 2 * activation
  })
  assert.deepEqual(seen, [
    [2, 0],
    [0, 1],
    [8, 2],
  ])
  assert.deepEqual(plain(doubled), [
    [0, 2, 2, 3],
    [1, 4, 4],
    [0.5, 4, 16],
  ])
})
