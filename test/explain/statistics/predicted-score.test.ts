import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Example, FeatureEvidence } from '../../../src/explain/evidence.js'
import { scorePrediction } from '../../../src/explain/statistics/predicted-score.js'

const example = (tokens: number[], activations: number[], group: Example['group'] = 'top'): Example => ({
  group,
  interval: null,
  split: 'validation',
  document: 0,
  position: 1,
  tokenIndex: 1,
  tokens,
  activations,
})

const evidence: FeatureEvidence = {
  feature: 0,
  max: 9,
  density: 0.1,
  topLogits: [],
  bottomLogits: [],
  singleToken: false,
  explain: [],
  score: [
    example([1, 2, 3], [0, 9, 0]),
    example([1, 4, 3], [0, 3, 0]),
    example([5, 6, 7], [9, 9, 9], 'neighbour'),
  ],
}

const predictBy = (values: Record<number, number>) => ({
  predict: (tokens: readonly number[]) => Float64Array.from(tokens, (token) => values[token] ?? 0),
})

test('a perfect prediction scores 1, one without any difference 0, and neighbours do not count', () => {
  const [spearman, pearson] = scorePrediction(predictBy({ 2: 9, 4: 3 }), evidence)
  assert.deepEqual([spearman.value, pearson.value, spearman.n], [1, 1, 6])
  const [constant] = scorePrediction(predictBy({}), evidence)
  assert.deepEqual([constant.value, constant.details.constant], [0, 1])
})

test('Spearman averages ties: by hand', () => {
  // Truth 0 9 0 0 3 0 has ranks 2.5 6 2.5 2.5 5 2.5; the prediction 0 9 0 0 0 0 has 3 6 3 3 3 3.
  const [{ value }] = scorePrediction(predictBy({ 2: 9 }), evidence)
  const truth = [2.5, 6, 2.5, 2.5, 5, 2.5].map((rank) => rank - 3.5)
  const predicted = [3, 6, 3, 3, 3, 3].map((rank) => rank - 3.5)
  const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0)
  const expected = dot(truth, predicted) / Math.sqrt(dot(truth, truth) * dot(predicted, predicted))
  assert.ok(Math.abs((value as number) - expected) < 1e-12)
})

test('a truth that is the same everywhere has no score, with the reason, and is not counted as 0', () => {
  const silent = { ...evidence, score: [example([1, 2, 3], [0, 0, 0])] }
  const [{ value, reason }] = scorePrediction(predictBy({ 2: 9 }), silent)
  assert.equal(value, null)
  assert.match(reason as string, /same on every token/)
})

test('the predictor of another unit is measured by its own maximum', () => {
  const [own] = scorePrediction(predictBy({ 2: 0.09, 4: 0.03 }), evidence, 9, 0.09)
  assert.equal(own.value, 1)
})
