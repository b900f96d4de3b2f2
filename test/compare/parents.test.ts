import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childrenOf, findParents } from '../../src/compare/parents.js'

const thresholds = { cosine: 0.5, correlation: 0.25 }

/** Partners of features of a larger dictionary, [id, correlation, tokens together] each, largest correlation first. */
function partnersOf(rows: [number, number, number][][], k: number) {
  const at = (column: 0 | 1 | 2, nothing: number): number[] =>
    rows.flatMap((row) => Array.from({ length: k }, (_, i) => row[i]?.[column] ?? nothing))
  return {
    k,
    ids: Int32Array.from(at(0, -1)),
    correlations: Float64Array.from(at(1, Number.NaN)),
    together: Int32Array.from(at(2, 0)),
    uncertainty: new Float64Array(rows.length * k),
  }
}

test('the parent has the largest cosine and correlation together, and reaches both thresholds', () => {
  const partners = partnersOf(
    [
      // 0.6 + 0.9 beats 0.8 + 0.6
      [
        [0, 0.8, 11],
        [1, 0.6, 12],
      ],
      // the most similar together has too small a correlation, the other one is taken
      [
        [2, 0.3, 13],
        [1, 0.2, 14],
      ],
      // correlates, but its decoder points elsewhere
      [[0, 0.9, 15]],
      // not judged: no partners
      [],
      // exactly on both thresholds
      [[2, 0.25, 16]],
    ],
    2,
  )
  const cosines = [
    [0.6, 0.9, 0],
    [0, 1, 0.6],
    [0.49, 0, 0],
    [1, 1, 1],
    [0, 0, 0.5],
  ]
  const found = findParents({ partners, cosine: (child, parent) => cosines[child][parent] }, thresholds)
  assert.deepEqual([...found.parent], [1, 2, -1, -1, 2])
  assert.deepEqual([...found.cosine], [0.9, 0.6, Number.NaN, Number.NaN, 0.5])
  assert.deepEqual([...found.correlation], [0.6, 0.3, Number.NaN, Number.NaN, 0.25])
  assert.deepEqual([...found.together], [12, 13, 0, 0, 16])
})

test('of equals the one of the larger correlation is the parent', () => {
  const partners = partnersOf(
    [
      [
        [0, 0.75, 1],
        [1, 0.5, 1],
      ],
    ],
    2,
  )
  const found = findParents({ partners, cosine: (_, parent) => [0.5, 0.75][parent] }, thresholds)
  assert.deepEqual([...found.parent], [0])
})

test('children are listed by their parent, the most similar first', () => {
  const parents = {
    parent: Int32Array.of(1, -1, 1, 0, 1),
    cosine: Float64Array.of(0.6, Number.NaN, 0.9, 0.5, 0.7),
    correlation: Float64Array.of(0.5, Number.NaN, 0.5, 0.5, 0.4),
    together: new Int32Array(5),
  }
  assert.deepEqual(childrenOf(parents, 3), [[3], [2, 0, 4], []])
})
