import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenSplit } from '../../src/corpus/corpus.js'
import { fillWindows, locate, windowCount, windowDocuments } from '../../src/corpus/windows.js'

// Documents [0 1 2 3] [0 4] [0 5 6 7 8]; 0 is <|endoftext|>.
const split: TokenSplit = {
  name: 'train',
  tokens: Uint16Array.of(0, 1, 2, 3, 0, 4, 0, 5, 6, 7, 8),
  documentStarts: Int32Array.of(0, 4, 6),
  documentIds: Int32Array.of(10, 12, 17),
  bytes: 0,
}

test('windows are consecutive, do not overlap, and never target the start of another document', () => {
  assert.equal(windowCount(split, 5), 2)
  const batch = fillWindows(split, 5, [0, 1])
  assert.deepEqual([...batch.tokens], [0, 1, 2, 3, 0, 4, 0, 5, 6, 7])
  assert.deepEqual([...batch.targets], [1, 2, 3, -1, 4, -1, 5, 6, 7, 8])
})

test('starts is the document start inside the window, or 0 for a document that began before it', () => {
  const batch = fillWindows(split, 5, [1, 0])
  assert.deepEqual([...batch.starts], [0, 1, 1, 1, 1, 0, 0, 0, 0, 4])
})

test('fillWindows agrees with the definition for every window size', () => {
  const starts = new Set(split.documentStarts)
  for (let size = 1; size <= 11; size++) {
    const count = windowCount(split, size)
    assert.equal(count, Math.floor(10 / size))
    for (let window = 0; window < count; window++) {
      const batch = fillWindows(split, size, [window])
      for (let t = 0; t < size; t++) {
        const at = window * size + t
        assert.equal(batch.targets[t], starts.has(at + 1) ? -1 : split.tokens[at + 1])
        const own = Math.max(...[...starts].filter((start) => start <= at))
        assert.equal(batch.starts[t], Math.max(0, own - window * size))
      }
    }
  }
})

test('every position of a window knows its document, as an index, whatever the order of windows', () => {
  assert.deepEqual([...windowDocuments(split, 5, [1, 0])], [1, 2, 2, 2, 2, 0, 0, 0, 0, 1])
  for (let size = 1; size <= 11; size++)
    for (let window = 0; window < windowCount(split, size); window++)
      windowDocuments(split, size, [window]).forEach((document, t) => {
        assert.equal(split.documentIds[document], locate(split, window * size + t).document)
      })
})

test('fillWindows writes into the given arrays and refuses wrong sizes and indices', () => {
  const out = fillWindows(split, 2, [0, 1])
  assert.equal(fillWindows(split, 2, [3, 4], out), out)
  assert.deepEqual([...out.tokens], [0, 5, 6, 7])
  assert.throws(() => fillWindows(split, 2, [0], out), /expected arrays of 2, got 4/)
  assert.throws(() => fillWindows(split, 2, [5]), /expected a window below 5, got 5/)
})

test('locate finds the document and the offset of every token', () => {
  assert.deepEqual(locate(split, 0), { document: 10, offset: 0 })
  assert.deepEqual(locate(split, 3), { document: 10, offset: 3 })
  assert.deepEqual(locate(split, 5), { document: 12, offset: 1 })
  assert.deepEqual(locate(split, 10), { document: 17, offset: 4 })
  assert.throws(() => locate(split, 11), /token index below 11/)
})
