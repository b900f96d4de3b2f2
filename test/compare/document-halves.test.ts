import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentHalves } from '../../src/compare/document-halves.js'
import type { TokenSplit } from '../../src/corpus/corpus.js'

test('documents go to two halves in turn, whole and in order', () => {
  const split: TokenSplit = {
    ...{ name: 'validation', tokens: Uint16Array.of(0, 5, 6, 0, 7, 0, 8, 9, 0), bytes: 90 },
    ...{ documentStarts: Int32Array.of(0, 3, 5, 8), documentIds: Int32Array.of(4, 9, 11, 30) },
  }
  const [even, odd] = documentHalves(split)
  assert.deepEqual(even, {
    ...{ name: 'validation', tokens: Uint16Array.of(0, 5, 6, 0, 8, 9), bytes: 60 },
    ...{ documentStarts: Int32Array.of(0, 3), documentIds: Int32Array.of(4, 11) },
  })
  assert.deepEqual(odd, {
    ...{ name: 'validation', tokens: Uint16Array.of(0, 7, 0), bytes: 30 },
    ...{ documentStarts: Int32Array.of(0, 2), documentIds: Int32Array.of(9, 30) },
  })
})
