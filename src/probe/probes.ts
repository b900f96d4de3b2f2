import { Random } from '../random/random.js'
import { splitFold, stratifiedFolds } from './folds.js'
import { fitLasso, largestPenalty, lassoProblem } from './lasso-logistic.js'
import { type LinearModel, meanLogLoss, scoresOf } from './logistic-loss.js'
import { fitRidge } from './ridge-logistic.js'
import { columnMoments, type SparseMatrix, selectColumns, selectRows } from './sparse-matrix.js'

/** Texts to fit to and texts to score, as rows of numbers in comparable units. */
export interface ProbeData {
  train: SparseMatrix
  test: SparseMatrix
  /** [training texts] */
  labels: Int32Array
  classes: number
  /** seed of the division that chooses penalties */
  seed: number
}

/** A column that a probe uses. */
export interface UsedColumn {
  column: number
  /** the class that it speaks for (or, when negative, against) */
  class: number
  /** of the column in units of its standard deviation */
  weight: number
}

/** What a probe says about the test texts, and what it says it with. */
export interface FittedProbe {
  /** [test texts, classes] */
  scores: Float64Array
  used: UsedColumn[]
}

export type Probe = (data: ProbeData) => FittedProbe

/** Fits one class against the rest; `columns` are those that the model's weights belong to, null for all. */
type BinaryFit = (labels: Uint8Array) => { model: LinearModel; columns: readonly number[] | null }

/** One fit for two classes, one against the rest for each of more. */
function oneAgainstRest({ test, labels, classes }: ProbeData, fit: BinaryFit): FittedProbe {
  const scores = new Float64Array(test.rows * classes)
  const used: UsedColumn[] = []
  for (const c of classes === 2 ? [1] : Array.from({ length: classes }, (_, i) => i)) {
    const { model, columns } = fit(Uint8Array.from(labels, (label) => (label === c ? 1 : 0)))
    scoresOf(columns ? selectColumns(test, columns) : test, model).forEach((score, i) => {
      scores[i * classes + c] = score
      if (classes === 2) scores[i * classes] = -score
    })
    model.weights.forEach((weight, j) => {
      if (weight !== 0) used.push({ column: columns ? columns[j] : j, class: c, weight })
    })
  }
  return { scores, used }
}

/**
 * A k-sparse probe (Gurnee et al. 2023, "Finding Neurons in a Haystack", section 3): the k columns whose means differ most between the
 * class and the rest, in standard deviations, then logistic regression on these with a slight penalty (scikit-learn's C = 1).
 */
export const sparseProbe =
  (k: number): Probe =>
  (data) =>
    oneAgainstRest(data, (labels) => {
      const columns = mostDifferent(data.train, labels, k)
      const x = selectColumns(data.train, columns)
      return { model: fitRidge(x, labels, 1 / data.train.rows), columns }
    })

/** The k columns with the largest difference of means, largest first; equal ones by number. Constant columns are left out. */
export function mostDifferent(x: SparseMatrix, labels: Uint8Array, k: number): number[] {
  const positives = labels.reduce((sum, label) => sum + label, 0)
  const difference = new Float64Array(x.columns)
  for (let i = 0; i < x.rows; i++) {
    const share = labels[i] === 1 ? 1 / positives : -1 / (x.rows - positives)
    for (let e = x.rowOffsets[i]; e < x.rowOffsets[i + 1]; e++)
      difference[x.columnIds[e]] += share * x.values[e]
  }
  const { deviation } = columnMoments(x)
  const size = difference.map((value, j) => (deviation[j] > 1e-12 ? Math.abs(value) / deviation[j] : 0))
  return Array.from(size.keys())
    .filter((j) => size[j] > 0)
    .sort((a, b) => size[b] - size[a] || a - b)
    .slice(0, k)
}

/** L1 logistic regression over all columns; the penalty is the best of a path on a fifth of the training texts. */
export const lassoProbe: Probe = (data) =>
  oneAgainstRest(data, (labels) => {
    const inner = innerSplit(data, labels)
    const largest = largestPenalty(lassoProblem(data.train, labels))
    const path = Array.from({ length: 10 }, (_, i) => largest * 0.8 * 10 ** (-i / 4))
    const problem = lassoProblem(inner.train, inner.trainLabels)
    const best = bestPenalty(path, inner, (penalty, start) => fitLasso(problem, penalty, start))
    return { model: fitLasso(lassoProblem(data.train, labels), best), columns: null }
  })

/** Ridge logistic regression over all columns; the penalty is the best of C = 0.001 to 100 on a fifth of the training texts. */
export const ridgeProbe: Probe = (data) =>
  oneAgainstRest(data, (labels) => {
    const inner = innerSplit(data, labels)
    const path = [1e3, 1e2, 10, 1, 0.1, 0.01].map((inverse) => inverse / data.train.rows)
    const best = bestPenalty(path, inner, (penalty, start) =>
      fitRidge(inner.train, inner.trainLabels, penalty, start),
    )
    return { model: fitRidge(data.train, labels, best), columns: null }
  })

interface InnerSplit {
  train: SparseMatrix
  trainLabels: Uint8Array
  validation: SparseMatrix
  validationLabels: Uint8Array
}

function innerSplit({ train, seed }: ProbeData, labels: Uint8Array): InnerSplit {
  const foldOf = stratifiedFolds(Int32Array.from(labels), 2, 5, Random.named(seed, 'probe.penalty'))
  const parts = splitFold(foldOf, 0)
  return {
    train: selectRows(train, parts.train),
    trainLabels: Uint8Array.from(parts.train, (i) => labels[i]),
    validation: selectRows(train, parts.test),
    validationLabels: Uint8Array.from(parts.test, (i) => labels[i]),
  }
}

/** The penalty with the least loss on validation texts. Largest first, each fit starting from the one before; ends when it only gets worse. */
function bestPenalty(
  penalties: readonly number[],
  { validation, validationLabels }: InnerSplit,
  fit: (penalty: number, start: LinearModel | undefined) => LinearModel,
): number {
  let [best, bestLoss, worse] = [penalties[0], Number.POSITIVE_INFINITY, 0]
  let model: LinearModel | undefined
  for (const penalty of penalties) {
    model = fit(penalty, model)
    const loss = meanLogLoss(scoresOf(validation, model), validationLabels)
    if (loss < bestLoss) [best, bestLoss, worse] = [penalty, loss, 0]
    else if (++worse === 2) break
  }
  return best
}
