import { type LinearModel, logOdds, lossDerivatives, meanLogLoss, scoresOf, sumOf } from './logistic-loss.js'
import { type SparseMatrix, times, transposeTimes } from './sparse-matrix.js'

const maxSteps = 100
const maxConjugateSteps = 250
/** the largest entry of the gradient at which a fit is done */
const tolerance = 1e-7

/**
 * Logistic regression with a squared penalty: the minimum of mean log loss + penalty / 2 |w|^2, the intercept free. scikit-learn's C
 * is 1 / (penalty * rows). Newton's method, each step solved by conjugate gradients (Lin, Weng & Keerthi 2008, "Trust region Newton
 * method for large-scale logistic regression"; here with a line search): only products with the matrix are needed.
 * @param labels [rows] of 0 and 1
 * @param penalty above 0
 * @param start default: zero weights
 */
export function fitRidge(
  x: SparseMatrix,
  labels: Uint8Array,
  penalty: number,
  start?: LinearModel,
): LinearModel {
  let model = start ?? { weights: new Float64Array(x.columns), intercept: logOdds(labels) }
  let scores = scoresOf(x, model)
  const valueAt = (at: LinearModel, s: Float64Array): number =>
    meanLogLoss(s, labels) + (penalty / 2) * dot(at.weights, at.weights)
  let value = valueAt(model, scores)
  for (let step = 0; step < maxSteps; step++) {
    const { residual, curvature } = lossDerivatives(scores, labels)
    const gradient = {
      weights: transposeTimes(x, residual).map((g, j) => g + penalty * model.weights[j]),
      intercept: sumOf(residual),
    }
    if (largest(gradient) <= tolerance) break
    const direction = newtonDirection(x, curvature, penalty, gradient)
    const slope = dotModels(gradient, direction)
    const change = scoresOf(x, direction)
    let length = 1
    let next = value
    for (; length > 1e-10; length /= 2) {
      const candidate = along(model, direction, length)
      const candidateScores = scores.map((score, i) => score + length * change[i])
      next = valueAt(candidate, candidateScores)
      if (next > value + 1e-4 * length * slope) continue
      model = candidate
      scores = candidateScores
      break
    }
    // Rounding leaves no smaller value to find.
    if (!(next < value)) break
    value = next
  }
  return model
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j]
  return sum
}

const dotModels = (a: LinearModel, b: LinearModel): number =>
  dot(a.weights, b.weights) + a.intercept * b.intercept

const along = (a: LinearModel, b: LinearModel, length: number): LinearModel => ({
  weights: a.weights.map((w, j) => w + length * b.weights[j]),
  intercept: a.intercept + length * b.intercept,
})

const largest = ({ weights, intercept }: LinearModel): number =>
  weights.reduce((max, w) => Math.max(max, Math.abs(w)), Math.abs(intercept))

/** Solves H d = -gradient roughly, the better the smaller the gradient is; H v = X^T (curvature * X v) + penalty v. */
function newtonDirection(
  x: SparseMatrix,
  curvature: Float64Array,
  penalty: number,
  gradient: LinearModel,
): LinearModel {
  const hessian = (v: LinearModel): LinearModel => {
    const weighted = times(x, v.weights).map((score, i) => curvature[i] * (score + v.intercept))
    return {
      weights: transposeTimes(x, weighted).map((value, j) => value + penalty * v.weights[j]),
      // a touch of penalty where all rows are certain
      intercept: sumOf(weighted) + 1e-12 * v.intercept,
    }
  }
  let direction: LinearModel = { weights: new Float64Array(x.columns), intercept: 0 }
  let rest = along(direction, gradient, -1)
  let search = rest
  let square = dotModels(rest, rest)
  const goal = square * Math.min(0.01, Math.sqrt(square))
  for (let i = 0; i < maxConjugateSteps && square > goal; i++) {
    const product = hessian(search)
    const length = square / dotModels(search, product)
    direction = along(direction, search, length)
    rest = along(rest, product, -length)
    const nextSquare = dotModels(rest, rest)
    search = along(rest, search, nextSquare / square)
    square = nextSquare
  }
  return direction
}
