import { type LinearModel, logOdds, lossDerivatives, meanLogLoss, scoresOf, sumOf } from './logistic-loss.js'
import { type SparseMatrix, transpose, transposeTimes } from './sparse-matrix.js'

const maxSteps = 100
const maxSweeps = 200
/** how far the optimality conditions may be missed, as a share of the penalty */
const tolerance = 1e-4

/** Labelled rows with their columns at hand, to fit several penalties. */
export interface LassoProblem {
  x: SparseMatrix
  /** X^T */
  columns: SparseMatrix
  /** [rows] of 0 and 1 */
  labels: Uint8Array
}

export const lassoProblem = (x: SparseMatrix, labels: Uint8Array): LassoProblem => ({
  x,
  columns: transpose(x),
  labels,
})

/** The smallest penalty that leaves all weights at zero. */
export function largestPenalty({ x, labels }: LassoProblem): number {
  const share = labels.reduce((sum, label) => sum + label, 0) / labels.length
  const residual = Float64Array.from(labels, (label) => (share - label) / labels.length)
  return transposeTimes(x, residual).reduce((max, g) => Math.max(max, Math.abs(g)), 0)
}

/**
 * Logistic regression with an L1 penalty: the minimum of mean log loss + penalty |w|_1, the intercept free. scikit-learn's C is
 * 1 / (penalty * rows). Proximal Newton: each step minimises the quadratic model of the loss plus the penalty by coordinate descent
 * over the weights that are not zero or want to leave it (Friedman, Hastie & Tibshirani 2010; Yuan, Ho & Lin 2012), then a line
 * search. Ends when the optimality conditions hold.
 * @param penalty above 0
 * @param start default: zero weights
 */
export function fitLasso(problem: LassoProblem, penalty: number, start?: LinearModel): LinearModel {
  const { x, labels } = problem
  let model = start ?? { weights: new Float64Array(x.columns), intercept: logOdds(labels) }
  let scores = scoresOf(x, model)
  let value = meanLogLoss(scores, labels) + penalty * absoluteSum(model.weights)
  for (let step = 0; step < maxSteps; step++) {
    const { residual, curvature } = lossDerivatives(scores, labels)
    const gradient = { weights: transposeTimes(x, residual), intercept: sumOf(residual) }
    const gap = optimalityGap(model, gradient, penalty)
    if (gap <= tolerance * penalty) break
    const quadratic = { gradient, curvature, penalty, goal: 0.1 * gap }
    const { direction, change } = proximalDirection(problem, model, quadratic)
    // What the linear part promises (Yuan, Ho & Lin, equation 17).
    const promised =
      dot(gradient.weights, direction.weights) +
      gradient.intercept * direction.intercept +
      penalty *
        (absoluteSum(model.weights.map((w, j) => w + direction.weights[j])) - absoluteSum(model.weights))
    let next = value
    for (let length = 1; length > 1e-10; length /= 2) {
      const weights = model.weights.map((w, j) => w + length * direction.weights[j])
      const candidate = scores.map((score, i) => score + length * change[i])
      next = meanLogLoss(candidate, labels) + penalty * absoluteSum(weights)
      if (next > value + 0.01 * length * promised) continue
      model = { weights, intercept: model.intercept + length * direction.intercept }
      scores = candidate
      break
    }
    if (!(next < value)) break
    value = next
  }
  return model
}

const absoluteSum = (values: Float64Array): number => values.reduce((sum, value) => sum + Math.abs(value), 0)

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j]
  return sum
}

/**
 * How far a model is from the minimum, by the largest violation of the optimality conditions: gradient = -penalty sign(w) where w
 * is not 0, |gradient| <= penalty elsewhere, 0 for the intercept.
 * @param gradient of the mean log loss
 */
export function optimalityGap(model: LinearModel, gradient: LinearModel, penalty: number): number {
  let gap = Math.abs(gradient.intercept)
  for (let j = 0; j < model.weights.length; j++) {
    const [w, g] = [model.weights[j], gradient.weights[j]]
    const violation = w === 0 ? Math.abs(g) - penalty : Math.abs(g + penalty * Math.sign(w))
    if (violation > gap) gap = violation
  }
  return gap
}

/** The quadratic model of the loss around some weights, gradient d + 1/2 d^T (X^T curvature X) d, and the penalty. */
interface QuadraticModel {
  gradient: LinearModel
  /** [rows] */
  curvature: Float64Array
  penalty: number
  /** how far its own optimality conditions may be missed: less than the loss's are now, and no more precise than that */
  goal: number
}

/** Where coordinate descent has got to. */
interface Descent {
  direction: LinearModel
  /** [rows] X d + d_intercept */
  change: Float64Array
}

/**
 * Minimises the quadratic model + penalty |w + d|_1 over d, coordinate by coordinate: in turn over all weights that are not zero or want
 * to leave it, and until they rest over those that are not zero.
 */
function proximalDirection(
  { columns, x }: LassoProblem,
  model: LinearModel,
  quadratic: QuadraticModel,
): Descent {
  const { gradient, curvature, penalty, goal } = quadratic
  const descent: Descent = {
    direction: { weights: new Float64Array(x.columns), intercept: 0 },
    change: new Float64Array(x.rows),
  }
  const { weights } = descent.direction
  const working: number[] = []
  const diagonal = new Float64Array(x.columns)
  for (let j = 0; j < x.columns; j++) {
    if (model.weights[j] === 0 && Math.abs(gradient.weights[j]) <= penalty * (1 - tolerance)) continue
    working.push(j)
    for (let e = columns.rowOffsets[j]; e < columns.rowOffsets[j + 1]; e++)
      diagonal[j] += curvature[columns.columnIds[e]] * columns.values[e] ** 2
    diagonal[j] += 1e-12
  }
  for (let round = 0; round < maxSweeps; round++) {
    if (sweep(columns, model, quadratic, diagonal, working, descent) <= goal) break
    const active = working.filter((j) => model.weights[j] + weights[j] !== 0)
    for (let i = 0; i < maxSweeps; i++)
      if (sweep(columns, model, quadratic, diagonal, active, descent) <= goal) break
  }
  return descent
}

/** Minimises over the intercept and each of some weights once. Returns how much of a gradient the largest move took away. */
function sweep(
  { rowOffsets, columnIds, values }: SparseMatrix,
  model: LinearModel,
  { gradient, curvature, penalty }: QuadraticModel,
  diagonal: Float64Array,
  coordinates: readonly number[],
  { direction, change }: Descent,
): number {
  const total = sumOf(curvature) + 1e-12
  const interceptMove = -(gradient.intercept + dot(curvature, change)) / total
  direction.intercept += interceptMove
  for (let i = 0; i < change.length; i++) change[i] += interceptMove
  let largest = Math.abs(interceptMove) * total
  for (const j of coordinates) {
    let slope = gradient.weights[j]
    for (let e = rowOffsets[j]; e < rowOffsets[j + 1]; e++)
      slope += curvature[columnIds[e]] * values[e] * change[columnIds[e]]
    const at = model.weights[j] + direction.weights[j]
    const move = shrink(at - slope / diagonal[j], penalty / diagonal[j]) - at
    if (move === 0) continue
    // Exact zeros, not what is left of a sum.
    direction.weights[j] = at + move === 0 ? -model.weights[j] : direction.weights[j] + move
    for (let e = rowOffsets[j]; e < rowOffsets[j + 1]; e++) change[columnIds[e]] += move * values[e]
    largest = Math.max(largest, Math.abs(move) * diagonal[j])
  }
  return largest
}

/** The soft threshold. */
const shrink = (value: number, by: number): number => (value > by ? value - by : value < -by ? value + by : 0)
