import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDetectionCounter } from '../../src/synthetic/detection.js'
import { codesOf } from './codes.js'

test('precision, recall and F1 of each latent are those counted by hand, over batches', () => {
  // latents 0 and 1 stand for true feature 2, latent 2 for feature 0, latent 3 for feature 1, which never fires
  const counter = createDetectionCounter(Int32Array.of(2, 2, 0, 1), 3)
  counter.add(codesOf([[0, 2], [0], []]), codesOf([[2], [0], [2]]))
  counter.add(codesOf([[0, 1, 3]]), codesOf([[0, 2]]))
  const { precision, recall, f1, fired } = counter.result()
  // latent 0: fired 3 times, feature 2 was there 3 times, both twice
  assert.deepEqual([...fired], [3, 1, 1, 1])
  assert.deepEqual([...precision], [2 / 3, 1, 0, 0])
  assert.deepEqual([...recall], [2 / 3, 1 / 3, 0, 0])
  assert.deepEqual([...f1], [2 / 3, 1 / 2, 0, 0])
})

test('a latent that never fires has precision, recall and F1 of 0, not NaN', () => {
  const counter = createDetectionCounter(Int32Array.of(0), 1)
  counter.add(codesOf([[]]), codesOf([[0]]))
  const { precision, recall, f1 } = counter.result()
  assert.deepEqual([precision[0], recall[0], f1[0]], [0, 0, 0])
})

test('codes of other samples are refused', () => {
  const counter = createDetectionCounter(Int32Array.of(0), 1)
  assert.throws(() => counter.add(codesOf([[0], [0]]), codesOf([[0]])), {
    code: 'shape',
    message: /expected the codes of 1 samples, got those of 2/,
  })
})
