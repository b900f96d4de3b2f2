import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contextRange } from '../../src/features/context.js'

// documents: [0 1 2 3 4] [0 5 6] [0 7 8 9 10 11], windows of 7
const tokens = Uint16Array.of(0, 1, 2, 3, 4, 0, 5, 6, 0, 7, 8, 9, 10, 11)
const split = {
  name: 'train' as const,
  tokens,
  documentStarts: Int32Array.of(0, 5, 8),
  documentIds: Int32Array.of(0, 1, 2),
  bytes: 0,
}
const shape = { contextSize: 7, before: 2, after: 3, startOfText: 0 }

test('a context ends at its document, at its window, and at its size', () => {
  const range = (token: number) => {
    const { first, end } = contextRange(split, shape, token)
    return Array.from(tokens.subarray(first, end))
  }
  assert.deepEqual(range(1), [1, 2, 3, 4], 'starts after <|endoftext|>, ends before the next')
  assert.deepEqual(range(4), [2, 3, 4])
  assert.deepEqual(range(6), [5], 'the window ends after 5')
  assert.deepEqual(range(7), [6], 'the window starts with 6')
  assert.deepEqual(range(10), [7, 8, 9, 10, 11])
  assert.deepEqual(range(12), [8, 9, 10, 11])
})
