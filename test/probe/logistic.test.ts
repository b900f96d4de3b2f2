import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { classifierMetrics, foldInterval, rocAuc } from '../../src/probe/classifier-metrics.js'
import { splitFold, stratifiedFolds } from '../../src/probe/folds.js'
import { fitLasso, largestPenalty, lassoProblem, optimalityGap } from '../../src/probe/lasso-logistic.js'
import {
  type LinearModel,
  lossDerivatives,
  meanLogLoss,
  scoresOf,
  sumOf,
} from '../../src/probe/logistic-loss.js'
import { fitRidge } from '../../src/probe/ridge-logistic.js'
import { columnMoments, fromDense, type SparseMatrix, transposeTimes } from '../../src/probe/sparse-matrix.js'
import { Random } from '../../src/random/random.js'

interface Golden {
  x: number[][]
  labels: number[]
  ridge: { penalty: number; weights: number[]; intercept: number }[]
  lasso: { penalty: number; weights: number[]; intercept: number }[]
  metrics: {
    scores: number[][]
    labels: number[]
    accuracy: number
    balancedAccuracy: number
    f1: number
    rocAuc: number
  }
}

// Made by scripts/golden/probe_golden.py; this file runs from dist/test/probe.
const path = fileURLToPath(new URL('../../../test/golden/probe/logistic.json', import.meta.url))
const golden = JSON.parse(await readFile(path, 'utf8')) as Golden
const x = fromDense(golden.x.flat(), golden.x[0].length)
const labels = Uint8Array.from(golden.labels)

function close(actual: LinearModel, expected: Golden['ridge'][number], tolerance: number): void {
  const both = [...expected.weights, expected.intercept].map((value, j) => [
    j < actual.weights.length ? actual.weights[j] : actual.intercept,
    value,
  ])
  for (const [j, [a, b]] of both.entries())
    assert.ok(Math.abs(a - b) < tolerance, `penalty ${expected.penalty}, weight ${j}: ${a}, expected ${b}`)
}

test('ridge fits are those of scikit-learn', () => {
  for (const expected of golden.ridge) close(fitRidge(x, labels, expected.penalty), expected, 1e-4)
})

test('lasso fits are those of scikit-learn, with the same exact zeros', () => {
  const problem = lassoProblem(x, labels)
  for (const expected of golden.lasso) {
    const model = fitLasso(problem, expected.penalty)
    close(model, expected, 2e-3)
    assert.deepEqual(
      Array.from(model.weights, (w) => w === 0),
      expected.weights.map((w) => Math.abs(w) < 1e-9),
    )
  }
})

/** Wide, sparse, and with columns of very different sizes. */
function wideProblem(): { x: SparseMatrix; labels: Uint8Array } {
  const random = Random.named(1, 'wide')
  const [rows, columns] = [80, 200]
  const data = Float64Array.from({ length: rows * columns }, (_, i) =>
    random.uniform() < 0.1 ? random.uniform() * (1 + (i % 7)) : 0,
  )
  const noisy = Array.from(
    { length: rows },
    (_, i) => data[i * columns + 3] - data[i * columns + 9] + random.normal(),
  )
  return { x: fromDense(data, columns), labels: Uint8Array.from(noisy, (score) => (score > 0 ? 1 : 0)) }
}

const gradientOf = (x: SparseMatrix, labels: Uint8Array, model: LinearModel): LinearModel => {
  const { residual } = lossDerivatives(scoresOf(x, model), labels)
  return { weights: transposeTimes(x, residual), intercept: sumOf(residual) }
}

test('lasso fits meet the optimality conditions along a path, from cold and warm starts alike', () => {
  const wide = wideProblem()
  const problem = lassoProblem(wide.x, wide.labels)
  const largest = largestPenalty(problem)
  assert.ok(fitLasso(problem, largest * 1.001).weights.every((w) => w === 0))
  assert.ok(fitLasso(problem, largest * 0.98).weights.some((w) => w !== 0))
  let warm: LinearModel | undefined
  let used = 0
  for (const share of [0.7, 0.3, 0.1, 0.03]) {
    const penalty = share * largest
    warm = fitLasso(problem, penalty, warm)
    const gap = optimalityGap(warm, gradientOf(wide.x, wide.labels, warm), penalty)
    assert.ok(gap <= 1e-4 * penalty, `share ${share}: gap ${gap / penalty}`)
    const cold = fitLasso(problem, penalty)
    const loss = ({ weights, intercept }: LinearModel): number =>
      meanLogLoss(scoresOf(wide.x, { weights, intercept }), wide.labels) +
      penalty * weights.reduce((sum, w) => sum + Math.abs(w), 0)
    assert.ok(Math.abs(loss(cold) - loss(warm)) < 1e-7)
    const count = warm.weights.filter((w) => w !== 0).length
    assert.ok(count >= used)
    used = count
  }
  assert.ok(used > 10 && used < 80)
})

test('the gap of a model is the largest violation, by hand', () => {
  const model = { weights: Float64Array.of(0, 2, -1), intercept: 0 }
  const gradient = { weights: Float64Array.of(0.5, -0.4, 0.4), intercept: 0.05 }
  assert.ok(Math.abs(optimalityGap(model, gradient, 0.4) - 0.1) < 1e-12)
  assert.ok(Math.abs(optimalityGap(model, gradient, 0.6) - 0.2) < 1e-12)
})

test('ridge fits have no gradient left, on wide data and on classes that a line separates', () => {
  const wide = wideProblem()
  const separable = { x: fromDense([1, 2, 3, -1, -2, -3], 1), labels: Uint8Array.of(1, 1, 1, 0, 0, 0) }
  for (const { x, labels } of [wide, separable])
    for (const penalty of [1, 1e-2, 1e-4]) {
      const model = fitRidge(x, labels, penalty)
      const gradient = gradientOf(x, labels, model)
      const rest = gradient.weights.map((g, j) => Math.abs(g + penalty * model.weights[j]))
      assert.ok(Math.max(...rest, Math.abs(gradient.intercept)) < 1e-7)
    }
})

test('metrics are those of scikit-learn, ties included', () => {
  const { scores, labels, ...expected } = golden.metrics
  const metrics = classifierMetrics(Float64Array.from(scores.flat()), Int32Array.from(labels), 3)
  for (const [name, value] of Object.entries(expected))
    assert.ok(Math.abs(metrics[name as keyof typeof metrics] - value) < 1e-12, name)
})

test('the ROC-AUC of a hand-computed case: of 4 pairs two are right and one is a tie', () => {
  assert.equal(rocAuc(Float64Array.of(1, 2, 2, 3), [1, 0, 1, 0]), 0.125)
  assert.equal(rocAuc(Float64Array.of(1, 3, 2, 2), [0, 1, 0, 1]), 0.875)
})

test('the interval over folds of a hand-computed case: t with 2 degrees of freedom', () => {
  const { mean, low, high } = foldInterval([0.7, 0.8, 0.9])
  assert.ok(Math.abs(mean - 0.8) < 1e-12)
  assert.ok(Math.abs(high - mean - (4.303 * 0.1) / Math.sqrt(3)) < 1e-12)
  assert.ok(Math.abs(high + low - 2 * mean) < 1e-12)
})

test('folds hold every text once and every class in equal shares', () => {
  const labels = Int32Array.from({ length: 53 }, (_, i) => (i < 11 ? 0 : i < 16 ? 1 : 2))
  const foldOf = stratifiedFolds(labels, 3, 5, Random.named(0, 'folds'))
  for (let fold = 0; fold < 5; fold++) {
    const { train, test } = splitFold(foldOf, fold)
    assert.equal(train.length + test.length, 53)
    assert.ok(test.length === 10 || test.length === 11)
    const counts = [0, 1, 2].map((c) => test.filter((i) => labels[i] === c).length)
    assert.ok(counts[0] >= 2 && counts[0] <= 3 && counts[1] === 1 && counts[2] >= 7)
  }
})

test('column moments count the zeros that are not stored', () => {
  const { mean, deviation } = columnMoments(fromDense([1, 0, 3, 0, 0, 0, 0, 0], 2))
  assert.deepEqual([...mean], [1, 0])
  assert.ok(Math.abs(deviation[0] - Math.sqrt(6 / 4)) < 1e-12)
  assert.equal(deviation[1], 0)
})
