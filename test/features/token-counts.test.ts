import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addCodeRow,
  byFeature,
  type CodeChunk,
  createCodeChunks,
  emptyChunk,
} from '../../src/features/code-chunks.js'
import { countTokens, createTokenCounts, featureTokens } from '../../src/features/token-counts.js'
import type { Codes } from '../../src/kernels/kernels.js'

/** Codes from [feature, activation] pairs per row. */
function codesOf(rows: [number, number][][]): Codes {
  const offsets = [0]
  for (const row of rows) offsets.push((offsets.at(-1) as number) + row.length)
  return {
    rowOffsets: Int32Array.from(offsets),
    featureIds: Int32Array.from(rows.flat(), ([id]) => id),
    values: Float32Array.from(rows.flat(), ([, value]) => value),
  }
}

function chunkOf(rows: [number, number][][], tokens: number[]): CodeChunk {
  const chunks = createCodeChunks()
  rows.forEach((_, row) => {
    addCodeRow(chunks, codesOf(rows), row, tokens[row])
  })
  return chunks.chunk
}

const rows: [number, number][][] = [
  [
    [0, 1],
    [2, 4],
  ],
  [[2, 2]],
  [
    [0, 0.5],
    [2, 3],
  ],
  [],
]

test('lift is how much more often a feature fires on a token than on any, hand-computed', () => {
  const chunk = chunkOf(rows, [5, 6, 5, 5])
  const counts = createTokenCounts(3, 8)
  countTokens(counts, chunk, byFeature(chunk, 3))
  const first = featureTokens(counts, 0, { fires: 2, positions: 4, limit: 9 })
  // P(fires | token 5) = 2/3, P(fires) = 2/4
  assert.deepEqual(first.tokens, [
    { token: 5, active: 2, occurrences: 3, activationSum: 1.5, lift: 2 / 3 / (2 / 4) },
  ])
  assert.equal(first.singleToken, true)
  const third = featureTokens(counts, 2, { fires: 3, positions: 4, limit: 9 })
  assert.deepEqual(
    third.tokens.map(({ token, active, activationSum }) => [token, active, activationSum]),
    [
      [5, 2, 7],
      [6, 1, 2],
    ],
  )
  assert.equal(third.singleToken, false)
  assert.equal(third.missed, 0)
  assert.equal(featureTokens(counts, 2, { fires: 3, positions: 4, limit: 1 }).tokens.length, 1)
})

test('a dead feature has no tokens and is not single-token', () => {
  const chunk = chunkOf(rows, [5, 6, 5, 5])
  const counts = createTokenCounts(3, 8)
  countTokens(counts, chunk, byFeature(chunk, 3))
  const dead = featureTokens(counts, 1, { fires: 0, positions: 4, limit: 9 })
  assert.deepEqual(dead, { tokens: [], missed: 0, singleToken: false })
})

test('a feature is single-token from 99% of its fires on', () => {
  for (const [others, expected] of [
    [1, true],
    [2, false],
  ] as const) {
    const length = 100
    const chunk = chunkOf(
      Array.from({ length }, () => [[0, 1]] as [number, number][]),
      Array.from({ length }, (_, i) => (i < others ? 1 : 2)),
    )
    const counts = createTokenCounts(1, 8)
    countTokens(counts, chunk, byFeature(chunk, 1))
    const table = featureTokens(counts, 0, { fires: 100, positions: 100, limit: 3 })
    assert.equal(table.singleToken, expected)
  }
})

test('codes by feature are the transpose of the chunk, rows ascending', () => {
  const fires = byFeature(chunkOf(rows, [5, 6, 5, 5]), 3)
  assert.deepEqual(Array.from(fires.offsets), [0, 2, 2, 5])
  assert.deepEqual(Array.from(fires.rows), [0, 2, 0, 1, 2])
  assert.deepEqual(Array.from(fires.values), [1, 0.5, 4, 2, 3])
})

test('a chunk is full with the row that brings it to its size, wherever batches end', () => {
  const chunks = createCodeChunks(3)
  const codes = codesOf(rows)
  assert.deepEqual(
    [0, 1].map((row) => addCodeRow(chunks, codes, row, 5)),
    [false, true],
  )
  emptyChunk(chunks)
  assert.equal(addCodeRow(chunks, codes, 2, 9), false)
  const { rowOffsets, tokens, featureIds, values } = chunks.chunk
  assert.deepEqual(
    [rowOffsets, featureIds, values].map((list) => Array.from(list.subarray(0, 2))),
    [
      [0, 2],
      [0, 2],
      [0.5, 3],
    ],
  )
  assert.equal(tokens[0], 9)
})
