import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adamOptions } from '../../src/sae/adam-options.js'
import { resolveSaeConfig } from '../../src/sae/resolve-config.js'
import { saeConfigSchema } from '../../src/sae/sae-config.js'
import { cosineAtEnd, decayAtEnd, warmUp } from '../../src/sae/schedule.js'

test('warm-up rises in equal steps to 1 and stays there', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 100].map((step) => warmUp(step, 4)),
    [0.25, 0.5, 0.75, 1, 1, 1],
  )
  assert.equal(warmUp(0, 0), 1)
})

test('the decay leaves all but the last steps alone and never reaches 0', () => {
  assert.deepEqual(
    [0, 5, 6, 7, 8, 9].map((step) => decayAtEnd(step, 10, 4)),
    [1, 1, 1, 0.75, 0.5, 0.25],
  )
  assert.equal(decayAtEnd(9, 10, 0), 1)
})

test('the cosine falls from 1 through 1/2 and never reaches 0', () => {
  assert.equal(cosineAtEnd(5, 10, 4), 1)
  assert.ok(Math.abs(cosineAtEnd(8, 10, 4) - 0.5) < 1e-12)
  assert.ok(cosineAtEnd(9, 10, 4) > 0 && cosineAtEnd(9, 10, 4) < 0.25)
  assert.equal(cosineAtEnd(9, 10, 0), 1)
})

test('the learning rate follows the schedule that was chosen', () => {
  const rates = (values: object) => {
    const asked = saeConfigSchema.parse({ learningRate: 2, warmupFraction: 0.2, ...values })
    const config = resolveSaeConfig(asked, 8)
    return [0, 1, 5, 8, 9].map((step) => adamOptions(config, { step, totalSteps: 10 }).learningRate)
  }
  assert.deepEqual(rates({ learningRateSchedule: 'constant' }), [1, 2, 2, 2, 2])
  assert.deepEqual(rates({ learningRateSchedule: 'linear' }), [1, 2, 2, 2, 1])
  assert.deepEqual(rates({ learningRateSchedule: 'linear', decayFraction: 0.5 }), [1, 2, 2, 0.8, 0.4])
  // the cosine takes all steps after the warm-up: 2 to 9, of which step 6 is the middle
  const cosine = rates({ learningRateSchedule: 'cosine' })
  assert.deepEqual(cosine.slice(0, 2), [1, 2])
  assert.ok(Math.abs(cosine[2] - (1 + Math.cos((3 / 8) * Math.PI))) < 1e-12)
  assert.ok(cosine[4] > 0 && cosine[4] < cosine[3] && cosine[3] < cosine[2])
})
