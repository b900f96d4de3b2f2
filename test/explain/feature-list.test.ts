import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFeatureList } from '../../src/explain/feature-list.js'
import { meanInterval } from '../../src/explain/mean-interval.js'

test('numbers and ranges are read in any mixture, ascending and each once; nothing means all', () => {
  assert.deepEqual(readFeatureList(['3-5,1', '4', '7-7'], 10), [1, 3, 4, 5, 7])
  assert.deepEqual(readFeatureList([], 3), [0, 1, 2])
})

test('what is no number, a range the wrong way round, or no feature is refused', () => {
  for (const bad of ['x', '1-', '-3', '5-2', '1.5', ''])
    assert.throws(() => readFeatureList([bad], 10), { code: 'config' }, bad)
  assert.throws(() => readFeatureList(['0-10'], 10), { code: 'missing', message: /feature 10.*0 to 9/ })
})

test('a mean leaves out what is not defined, and its interval is 1.96 standard errors', () => {
  const { mean, low, high, n } = meanInterval([1, null, 2, 3])
  assert.deepEqual([mean, n], [2, 3])
  assert.ok(Math.abs((high as number) - 2 - 1.96 / Math.sqrt(3)) < 1e-12)
  assert.ok(Math.abs((low as number) + (high as number) - 4) < 1e-12)
  assert.deepEqual(meanInterval([null]), { mean: null, low: null, high: null, n: 0 })
})
