import assert from 'node:assert/strict'
import { test } from 'node:test'
import { learningRateAt } from '../../src/model/schedule.js'

const options = { learningRate: 2, warmupSteps: 10, totalSteps: 110, minLearningRateFraction: 0.1 }

test('the learning rate rises linearly to its peak at the end of the warm-up', () => {
  assert.equal(learningRateAt(1, options), 0.2)
  assert.equal(learningRateAt(5, options), 1)
  assert.equal(learningRateAt(10, options), 2)
})

test('the learning rate then falls as half a cosine to its minimum at the last step', () => {
  assert.ok(Math.abs(learningRateAt(60, options) - (0.2 + 1.8 / 2)) < 1e-12)
  assert.ok(Math.abs(learningRateAt(110, options) - 0.2) < 1e-12)
  for (let step = 11; step <= 110; step++)
    assert.ok(learningRateAt(step, options) < learningRateAt(step - 1, options))
})

test('a warm-up longer than a tenth of the training is cut to that', () => {
  assert.equal(learningRateAt(11, { ...options, warmupSteps: 1000 }), 2)
})

test('a training of one step runs at the lowest rate without dividing by zero', () => {
  assert.equal(learningRateAt(1, { ...options, totalSteps: 1 }), 0.2)
})

test('without warm-up the first step is close to the peak', () => {
  const rate = learningRateAt(1, { ...options, warmupSteps: 0 })
  assert.ok(rate < 2 && rate > 1.99)
})
