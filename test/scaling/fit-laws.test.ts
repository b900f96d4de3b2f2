import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitLaws } from '../../src/scaling/fit-laws.js'
import { byBudget, frontierPoint, meansOverSeeds } from '../../src/scaling/frontier.js'
import { scalingReport } from '../../src/scaling/scaling-report.js'
import { madeResult, madeSweep } from './made-results.js'

const options = { convergence: 0.01, seed: 0 }

test('the exponents of best size, best steps and loss come out as those that the losses were made with', () => {
  const results = madeSweep({ a: 0.6, b: 0.4 }, { sizes: [4, 16], budgets: [16, 18, 20, 22, 24] })
  const { featuresOfCompute, stepsOfCompute, lossOfCompute } = fitLaws(results, 32, options)
  assert.ok(featuresOfCompute.fit && stepsOfCompute.fit && lossOfCompute.fit)
  // a / (a + b) of the compute goes into steps, the rest into features; the loss falls as C^-(a b / (a + b)) towards 0.1
  assert.ok(Math.abs(featuresOfCompute.fit.exponent - 0.4) < 0.01, `${featuresOfCompute.fit.exponent}`)
  assert.ok(Math.abs(stepsOfCompute.fit.exponent - 0.6) < 0.01, `${stepsOfCompute.fit.exponent}`)
  assert.ok(Math.abs(lossOfCompute.fit.exponent - 0.24) < 0.02, `${lossOfCompute.fit.exponent}`)
  assert.ok(Math.abs(lossOfCompute.fit.irreducible - 0.1) < 0.1, `${lossOfCompute.fit.irreducible}`)
  const [low, high] = featuresOfCompute.intervals.exponent
  assert.ok(low < 0.4 && 0.4 < high)
  assert.equal(featuresOfCompute.points, 5)
  const [ten] = featuresOfCompute.extrapolated
  assert.equal(ten.x, 10 * Math.max(...results.map(({ compute }) => compute)))
  assert.ok(ten.interval[0] <= ten.value && ten.value <= ten.interval[1])
})

test('too few budgets are underpowered: no law, and the reason', () => {
  const results = madeSweep({ a: 0.6, b: 0.4 }, { sizes: [4, 16], budgets: [18, 20, 22] })
  const laws = fitLaws(results, 32, options)
  assert.equal(laws.featuresOfCompute.fit, null)
  assert.match(String(laws.featuresOfCompute.reason), /underpowered: 3 of 3 budgets .* at least 4/)
  assert.match(String(laws.lossOfCompute.reason), /at least 5/)
})

test('a budget whose best size is the smallest or the largest trained has no optimum, and no law is fitted to it', () => {
  const results = madeSweep({ a: 0.6, b: 0.4 }, { sizes: [4, 8], budgets: [16, 18, 20, 22, 24] })
  const { frontier, featuresOfCompute } = fitLaws(results, 32, options)
  assert.ok(frontier.some(({ optimalFeatures }) => optimalFeatures === null))
  assert.equal(featuresOfCompute.fit, null)
})

test('the best size lies where the parabola of log loss over log size is lowest', () => {
  // log loss = (ln N - ln 90)^2 / 10
  const at = (features: number) => Math.exp(Math.log(features / 90) ** 2 / 10)
  const points = meansOverSeeds([32, 64, 128, 256].map((n) => madeResult(n, 8192 / n, at(n))))
  const { optimalFeatures, optimalSteps, best } = frontierPoint(
    points.sort((a, b) => a.features - b.features),
  )
  assert.ok(Math.abs(Number(optimalFeatures) - 90) < 1e-6)
  assert.ok(Math.abs(Number(optimalSteps) - 8192 / 90) < 1e-6)
  assert.equal(best.features, 64)
})

test('losses of several seeds are averaged, and budgets that differ by whole steps are one', () => {
  const points = meansOverSeeds([
    madeResult(10, 100, 0.4, { seed: 0 }),
    madeResult(10, 100, 0.6, { seed: 1 }),
    madeResult(20, 51, 0.3),
    madeResult(10, 200, 0.3),
  ])
  assert.deepEqual(
    points.map(({ features, loss, seeds }) => [features, loss, seeds]),
    [
      [10, 0.5, 2],
      [20, 0.3, 1],
      [10, 0.3, 1],
    ],
  )
  assert.deepEqual(
    byBudget(points).map((budget) => budget.length),
    [2, 1],
  )
})

test('a size has converged when doubling its steps takes off less than asked for', () => {
  const results = [
    ...[
      madeResult(8, 100, 0.5),
      madeResult(8, 400, 0.495),
      madeResult(16, 100, 0.5),
      madeResult(16, 200, 0.4),
    ],
    madeResult(32, 100, 0.6),
  ]
  const { bySize, lossOfSize } = fitLaws(results, 32, options)
  // 1% over two doublings is 1 - sqrt(0.99) each
  assert.ok(Math.abs(Number(bySize[0].gainOfDoubling) - (1 - Math.sqrt(0.99))) < 1e-12)
  assert.ok(Math.abs(Number(bySize[1].gainOfDoubling) - 0.2) < 1e-12)
  assert.equal(bySize[2].gainOfDoubling, null)
  assert.deepEqual(
    bySize.map(({ converged }) => converged),
    [true, false, false],
  )
  assert.match(String(lossOfSize.reason), /1 of 3 sizes have converged/)
})

test('jobs of different kinds are not compared, and no jobs are an error', () => {
  const stored = { results: [], directories: {}, failures: [], missing: ['one'], leftOut: [] }
  assert.throws(() => scalingReport(stored, options), { code: 'missing' })
  const results = [madeResult(8, 100, 0.5), madeResult(16, 100, 0.4, { heldOutTokens: 2 })]
  assert.throws(() => scalingReport({ ...stored, results }, options), {
    code: 'config',
    message: /heldOutTokens 1000 .* and 2 /,
  })
})
