import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addCodeRow,
  codesOf,
  createCodeChunks,
  emptyChunk,
  tokensAsCodes,
} from '../../src/features/code-chunks.js'
import { codesFrom } from './codes-from.js'

const rows: [number, number][][] = [[[0, 1]], [[2, 2]], [], [[1, 3]]]

test('a chunk is full with the row that brings it to its size, wherever batches end', () => {
  const all = codesFrom(rows)
  const chunks = createCodeChunks(2)
  assert.deepEqual(
    [0, 1].map((row) => addCodeRow(chunks, all, row, 5 + row)),
    [false, true],
  )
  assert.deepEqual(codesOf(chunks.chunk), codesFrom(rows.slice(0, 2)))
  emptyChunk(chunks)
  assert.deepEqual(
    [2, 3].map((row) => addCodeRow(chunks, all, row, 5 + row)),
    [false, false],
  )
  assert.deepEqual(codesOf(chunks.chunk), codesFrom(rows.slice(2)))
  assert.deepEqual(tokensAsCodes(chunks.chunk), codesFrom([[[7, 1]], [[8, 1]]]))
})

test('a row with more active features than a chunk has room for makes a chunk of its own', () => {
  const wide: [number, number][] = Array.from({ length: 9 }, (_, id) => [id, 1])
  const chunks = createCodeChunks(2)
  assert.equal(addCodeRow(chunks, codesFrom([wide]), 0, 5), true)
  assert.deepEqual(codesOf(chunks.chunk), codesFrom([wide]))
})
