import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Columns } from '../../src/compare/columns.js'
import { measurePairs, pairCorrelations } from '../../src/compare/measure-pairs.js'
import { type ColumnBatch, readColumns } from '../../src/compare/read-columns.js'
import { addStrongest, createStrongestTokens } from '../../src/compare/strongest-tokens.js'
import { locate } from '../../src/corpus/windows.js'
import { sampleWindows } from '../../src/eval/sample-windows.js'
import { pearson } from '../../src/interp/correlation.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { createTransformer } from '../../src/model/transformer.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { tinySplit } from '../model/tiny-corpus.js'
import { TINY } from '../model/tiny-model.js'

const kernels = createReferenceKernels()
const hookName = 'blocks.1.mlp.hook_post'
const [a, b] = [createTransformer(kernels, TINY, 1), createTransformer(kernels, TINY, 2)]
const split = tinySplit('validation', 500, TINY.vocabularySize)
const sae = (seed: number, features: number) =>
  saeOf(kernels, randomArrays(features, TINY.dMlp, seed), TINY.dMlp, hookName)
const columns: Columns[] = [
  { kind: 'features', model: a, sae: sae(3, 7) },
  { kind: 'neurons', model: a, hookName },
  { kind: 'features', model: b, sae: sae(4, 5) },
  { kind: 'neurons', model: b, hookName },
]
const pairs = [
  { from: 0, to: 2, partners: Int32Array.of(4, 0, -1, 2, 1, 0, 3) },
  { from: 1, to: 3, partners: Int32Array.from({ length: TINY.dMlp }, (_, i) => TINY.dMlp - 1 - i) },
  { from: 0, to: 3, partners: Int32Array.of(4, 0, 7, -1, 1, 11, 3) },
]
const options = { columns, pairs, split, startOfText: 0, tokens: 480, batchWindows: 7, groups: 3 }

/** Each column set's activations, token by token, and the group of each token's document. */
async function activations(): Promise<{ sets: Float64Array[][]; groups: number[] }> {
  const contextLength = TINY.context
  const windows = sampleWindows(split, contextLength, options.tokens)
  const sets: Float64Array[][] = columns.map(() => [])
  const groups: number[] = []
  for await (const { positions, values } of readColumns({ ...options, contextLength, windows }))
    positions.forEach((position, row) => {
      groups.push(locate(split, position).document % options.groups)
      values.forEach((held, set) => {
        const width = [7, TINY.dMlp, 5, TINY.dMlp][set]
        const line = new Float64Array(width)
        if (held.kind === 'neurons') line.set(held.x.subarray(row * width, (row + 1) * width))
        else
          for (let e = held.codes.rowOffsets[row]; e < held.codes.rowOffsets[row + 1]; e++)
            line[held.codes.featureIds[e]] = held.codes.values[e]
        sets[set].push(line)
      })
    })
  return { sets, groups }
}

for (const weights of [
  [1, 1, 1],
  [2, 0, 1],
])
  test(`chosen pairs have the correlation of their activations, documents counted ${weights} times`, async () => {
    const sums = await measurePairs(options)
    const { sets, groups } = await activations()
    const rows = groups.flatMap((group, row) => Array<number>(weights[group]).fill(row))
    pairs.forEach(({ from, to, partners }, p) => {
      const found = pairCorrelations(sums, pairs, p, weights)
      assert.equal(found.length, partners.length)
      partners.forEach((partner, i) => {
        const x = rows.map((row) => sets[from][row][i])
        const y = rows.map((row) => sets[to][row][partner])
        const expected = partner < 0 ? null : pearson(x, y)
        if (expected === null) assert.ok(Number.isNaN(found[i]), `${p} ${i}`)
        else assert.ok(Math.abs(found[i] - expected) < 1e-9, `${p} ${i}: ${found[i]} ${expected}`)
      })
    })
    assert.equal(
      sums.tokens.reduce((total, count) => total + count),
      groups.length,
    )
    assert.ok(sums.documents > 10)
  })

test('the strongest tokens of a feature come in order, one from each window', () => {
  const strongest = createStrongestTokens(2, 2, 4)
  const batch = (positions: number[], values: number[]): ColumnBatch => ({
    ...{ windows: 1, tokens: Int32Array.from(positions), positions: Int32Array.from(positions) },
    values: [
      {
        kind: 'features',
        codes: {
          rowOffsets: Int32Array.from({ length: positions.length + 1 }, (_, i) => i),
          featureIds: new Int32Array(positions.length).fill(1),
          values: Float32Array.from(values),
        },
      },
    ],
  })
  addStrongest(strongest, batch([0, 1, 4, 5], [1, 3, 2, 1]), 0)
  assert.deepEqual([...strongest.positions], [-1, -1, 1, 4])
  // a stronger token of a window takes the place of the one before, whatever the ranks
  addStrongest(strongest, batch([6, 9, 2], [5, 4, 3.5]), 0)
  assert.deepEqual([...strongest.positions], [-1, -1, 6, 9])
  assert.deepEqual([...strongest.activations.subarray(2)], [5, 4])
})
