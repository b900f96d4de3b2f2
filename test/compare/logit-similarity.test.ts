import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Columns } from '../../src/compare/columns.js'
import { type LogitDirections, logitDirections } from '../../src/compare/logit-directions.js'
import { bestByLogitWeights, logitCorrelation, logitSimilarity } from '../../src/compare/logit-similarity.js'
import { pearson } from '../../src/interp/correlation.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { createTransformer, type Transformer } from '../../src/model/transformer.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { TINY } from '../model/tiny-model.js'

const kernels = createReferenceKernels()
const all = (n: number): Uint8Array => new Uint8Array(n).fill(1)
const near = (found: number, expected: number, tolerance = 1e-5) =>
  assert.ok(Math.abs(found - expected) < tolerance, `expected ${expected}, got ${found}`)

/** Rows r [n, 2] before an unembedding of 2 dimensions and 4 tokens, each row of mean 0. */
function byHand(rows: number[][]): LogitDirections {
  const unembedding = kernels.tensor(Float32Array.from([1, -1, 1, -1, 3, 3, -3, -3]), [2, 4])
  return { directions: kernels.tensor(Float32Array.from(rows.flat()), [rows.length, 2]), unembedding }
}

test('logit-weight similarity is the correlation of the logit weights over the vocabulary, by hand', async () => {
  // logit weights: (1, -1, 1, -1), (4, 2, -2, -4), none
  const from = byHand([
    [1, 0],
    [1, 1],
    [0, 0],
  ])
  // (-2, 2, -2, 2), (3, 3, -3, -3)
  const to = byHand([
    [-2, 0],
    [0, 1],
  ])
  const similarity = await logitSimilarity(kernels, from, to)
  near(logitCorrelation(similarity, 0, 0), -1)
  near(logitCorrelation(similarity, 0, 1), 0)
  // (4, 2, -2, -4) . (-2, 2, -2, 2) = -8, norms sqrt(40) and 4
  near(logitCorrelation(similarity, 1, 0), -8 / (4 * Math.sqrt(40)))
  near(logitCorrelation(similarity, 1, 1), 36 / (6 * Math.sqrt(40)))
  assert.ok(Number.isNaN(logitCorrelation(similarity, 2, 0)))
  const best = await bestByLogitWeights(kernels, similarity, all(3), all(2))
  assert.deepEqual([...best.ids], [1, 1, -1])
  const only = await bestByLogitWeights(kernels, similarity, Uint8Array.of(0, 1, 1), Uint8Array.of(1, 0))
  assert.deepEqual([...only.ids], [-1, 0, -1])
})

const hooks = ['blocks.1.mlp.hook_post', 'blocks.0.hook_resid_post', 'blocks.0.attn.hook_z']
for (const hookName of hooks)
  test(`at ${hookName} it is what correlating all logit weights gives, for features and for dimensions`, async () => {
    const [model, other] = [createTransformer(kernels, TINY, 1), createTransformer(kernels, TINY, 2)]
    const d = hookName.includes('mlp') ? TINY.dMlp : TINY.dModel
    const features = (on: Transformer, seed: number): Columns => ({
      ...{ kind: 'features', model: on },
      sae: saeOf(kernels, randomArrays(9, d, seed), d, hookName),
    })
    const sets: Columns[] = [
      features(model, 3),
      features(other, 4),
      { kind: 'neurons', model: other, hookName },
    ]
    const directions = await Promise.all(sets.map(logitDirections))
    const weights = await Promise.all(directions.map((made) => slowWeights(made as LogitDirections)))
    for (const [i, j] of [
      [0, 1],
      [0, 2],
      [2, 0],
    ]) {
      const [from, to] = [directions[i] as LogitDirections, directions[j] as LogitDirections]
      const similarity = await logitSimilarity(kernels, from, to)
      const best = await bestByLogitWeights(
        ...([kernels, similarity, all(weights[i].length), all(weights[j].length)] as const),
      )
      weights[i].forEach((row, a) => {
        const expected = weights[j].map((column) => pearson(row, column) as number)
        for (const [b, correlation] of expected.entries())
          near(logitCorrelation(similarity, a, b), correlation, 1e-4)
        near(best.similarities[a], Math.max(...expected), 1e-4)
        near(expected[best.ids[a]], Math.max(...expected), 1e-4)
      })
    }
  })

/** r U, row by row. */
async function slowWeights({ directions, unembedding }: LogitDirections): Promise<Float64Array[]> {
  const [r, u] = await Promise.all([directions, unembedding].map((tensor) => kernels.readF32(tensor)))
  const [n, width] = directions.shape
  const vocabulary = unembedding.shape[1]
  return Array.from({ length: n }, (_, row) =>
    Float64Array.from({ length: vocabulary }, (_, v) => {
      let sum = 0
      for (let i = 0; i < width; i++) sum += r[row * width + i] * u[i * vocabulary + v]
      return sum
    }),
  )
}

test('with the vocabulary in another order, equal logit weights are no longer alike', async () => {
  const model = createTransformer(kernels, TINY, 1)
  const columns: Columns = { kind: 'neurons', model, hookName: hooks[0] }
  const made = (await logitDirections(columns)) as LogitDirections
  const [same, moved] = await Promise.all([
    logitSimilarity(kernels, made, made),
    logitSimilarity(kernels, made, made, 5),
  ])
  for (let i = 0; i < TINY.dMlp; i++) {
    near(logitCorrelation(same, i, i), 1)
    assert.ok(Math.abs(logitCorrelation(moved, i, i)) < 0.9)
  }
})

test('a hook point that does not write to the residual stream has no logit weights', async () => {
  const model = createTransformer(kernels, TINY, 1)
  assert.equal(await logitDirections({ kind: 'neurons', model, hookName: 'blocks.0.attn.hook_q' }), null)
})
