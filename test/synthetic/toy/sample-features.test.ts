import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  correlations,
  type FeatureDistribution,
  independentFeatures,
  sampleFeatures,
} from '../../../src/synthetic/toy/sample-features.js'

const batchSize = 20_000
const draw = (distribution: FeatureDistribution, index = 0) =>
  sampleFeatures(distribution, { stream: 'toy training', seed: 3, index, batchSize })

/** Share of the samples in which each of the features in `ids` is active. */
function jointShare(x: Float32Array, features: number, ids: readonly number[]): number {
  let count = 0
  for (let n = 0; n < batchSize; n++) if (ids.every((i) => x[n * features + i] > 0)) count++
  return count / batchSize
}

test('each feature is active as often as asked for and then uniform, whatever the correlation', () => {
  for (const correlation of correlations) {
    const x = draw({ features: 6, density: 0.2, correlation, setSize: correlation === 'independent' ? 1 : 2 })
    for (let i = 0; i < 6; i++)
      assert.ok(Math.abs(jointShare(x, 6, [i]) - 0.2) < 0.015, `${correlation}, feature ${i}`)
    const active = x.filter((value) => value > 0)
    const mean = active.reduce((sum, value) => sum + value, 0) / active.length
    const square = active.reduce((sum, value) => sum + value * value, 0) / active.length
    assert.ok(Math.abs(mean - 1 / 2) < 0.01 && Math.abs(square - 1 / 3) < 0.01)
  }
})

test('features of a set are active together, or never together, or as chance will have it', () => {
  const options = { features: 4, density: 0.2, setSize: 2 }
  const [together, never, chance] = [
    draw({ ...options, correlation: 'correlated' }),
    draw({ ...options, correlation: 'anticorrelated' }),
    draw(independentFeatures(4, 0.2)),
  ]
  assert.ok(Math.abs(jointShare(together, 4, [0, 1]) - 0.2) < 0.015)
  assert.equal(jointShare(never, 4, [0, 1]), 0)
  assert.ok(Math.abs(jointShare(chance, 4, [0, 1]) - 0.04) < 0.01)
  assert.ok(Math.abs(jointShare(together, 4, [1, 2]) - 0.04) < 0.01, 'sets are independent of one another')
})

test('a density of 1 leaves no feature out', () => {
  const x = draw(independentFeatures(3, 1))
  assert.ok(x.filter((value) => value > 0).length > 0.999 * x.length)
})

test('the same batch comes again, and another one differs', () => {
  const distribution = independentFeatures(10, 0.1)
  assert.deepEqual(draw(distribution, 5), draw(distribution, 5))
  assert.notDeepEqual(draw(distribution, 5), draw(distribution, 6))
  const other = sampleFeatures(distribution, { stream: 'autoencoder', seed: 3, index: 5, batchSize })
  assert.notDeepEqual(draw(distribution, 5), other)
})

test('densities that cannot be are refused', () => {
  assert.throws(() => draw(independentFeatures(4, 0)), { code: 'config' })
  assert.throws(() => draw(independentFeatures(4, Number.NaN)), { code: 'config' })
  assert.throws(() => draw({ features: 4, density: 0.6, correlation: 'anticorrelated', setSize: 2 }), {
    code: 'config',
  })
  assert.throws(() => draw({ features: 5, density: 0.1, correlation: 'correlated', setSize: 2 }), {
    code: 'config',
  })
})
