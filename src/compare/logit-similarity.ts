import type { Kernels, Tensor } from '../kernels/kernels.js'
import { Random } from '../random/random.js'
import type { LogitDirections } from './logit-directions.js'

/** Columns of one set beside those of another, by the Pearson correlation of their logit weights over the vocabulary. */
export interface LogitSimilarity {
  /** [n, m'] r_i U U'^T / ||r_i U||; zeros where the logit weights do not vary */
  rows: Float32Array
  /** [m, m'] r'_j / ||r'_j U'||; zeros where they do not vary */
  columns: Float32Array
  /** m', dModel of the other model */
  width: number
  /** [n] and [m]: 1 where the logit weights vary */
  rowVaries: Uint8Array
  columnVaries: Uint8Array
}

/** The most similar column of each row. */
export interface BestColumns {
  /** [n] -1 where there is none */
  ids: Int32Array
  /** [n] NaN where there is none */
  similarities: Float64Array
}

/**
 * Prepares the comparison of logit weights r_i U [V] and r'_j U' [V]. The rows of U and U' have mean 0 over the vocabulary, so Pearson's correlation is
 * a cosine: r_i (U U'^T) r'_j / (||r_i U|| ||r'_j U'||). Only [dModel, dModel] matrices run over the vocabulary; no [n, V] matrix is made.
 * @param shuffleSeed permutes the vocabulary of the second: the level of chance
 */
export async function logitSimilarity(
  kernels: Kernels,
  from: LogitDirections,
  to: LogitDirections,
  shuffleSeed: number | null = null,
): Promise<LogitSimilarity> {
  const unembedding = shuffleSeed === null ? null : await shuffled(kernels, to.unembedding, shuffleSeed)
  const across = products(kernels, from.unembedding, unembedding ?? to.unembedding)
  const projected = multiply(kernels, from.directions, across)
  const [rowNorms, columnNorms, rows, columns] = await Promise.all([
    logitNorms(kernels, from),
    logitNorms(kernels, to),
    kernels.readF32(projected),
    kernels.readF32(to.directions),
  ])
  for (const tensor of [across, projected, unembedding]) if (tensor) kernels.free(tensor)
  return {
    rows: scaledRows(rows, rowNorms),
    columns: scaledRows(columns, columnNorms),
    width: to.directions.shape[1],
    rowVaries: Uint8Array.from(rowNorms, (norm) => (norm > 0 ? 1 : 0)),
    columnVaries: Uint8Array.from(columnNorms, (norm) => (norm > 0 ? 1 : 0)),
  }
}

/** Correlation of the logit weights of one row and one column; NaN where either does not vary. */
export function logitCorrelation(similarity: LogitSimilarity, row: number, column: number): number {
  const { rows, columns, width, rowVaries, columnVaries } = similarity
  if (!rowVaries[row] || !columnVaries[column]) return Number.NaN
  let sum = 0
  for (let i = 0; i < width; i++) sum += rows[row * width + i] * columns[column * width + i]
  return Math.max(-1, Math.min(1, sum))
}

/** Rows that are compared with all columns at once. */
const blockRows = 256

/**
 * For each row the column with the largest correlation; among equals the lower column.
 * @param from [n] 1 for rows that are to have a partner
 * @param to [m] 1 for columns that may be one
 */
export async function bestByLogitWeights(
  kernels: Kernels,
  similarity: LogitSimilarity,
  from: Uint8Array,
  to: Uint8Array,
): Promise<BestColumns> {
  const { rows, columns, width, rowVaries, columnVaries } = similarity
  const [n, m] = [from.length, to.length]
  const best: BestColumns = {
    ids: new Int32Array(n).fill(-1),
    similarities: new Float64Array(n).fill(Number.NaN),
  }
  const candidates = Int32Array.from(to.keys()).filter((column) => to[column] && columnVaries[column])
  const others = kernels.tensor(columns, [m, width])
  for (let first = 0; first < n; first += blockRows) {
    const count = Math.min(blockRows, n - first)
    const own = kernels.tensor(rows.subarray(first * width, (first + count) * width), [count, width])
    const block = kernels.zeros([count, m])
    kernels.linearTransposedForward(block, own, others)
    const values = await kernels.readF32(block)
    for (const tensor of [own, block]) kernels.free(tensor)
    for (let row = 0; row < count; row++) {
      if (!from[first + row] || !rowVaries[first + row]) continue
      let found = -1
      for (const column of candidates)
        if (found < 0 || values[row * m + column] > values[row * m + found]) found = column
      if (found < 0) continue
      best.ids[first + row] = found
      best.similarities[first + row] = logitCorrelation(similarity, first + row, found)
    }
  }
  kernels.free(others)
  return best
}

/** U U'^T [dModel, dModel'] of u [dModel, V] and v [dModel', V] */
function products(kernels: Kernels, u: Tensor, v: Tensor): Tensor {
  const out = kernels.zeros([u.shape[0], v.shape[0]])
  kernels.linearTransposedForward(out, u, v)
  return out
}

/** x w; x [n, dModel], w [dModel, dModel'] */
function multiply(kernels: Kernels, x: Tensor, w: Tensor): Tensor {
  const out = kernels.zeros([x.shape[0], w.shape[1]])
  kernels.linearForward(out, x, w, null)
  return out
}

/** What rounding can leave of ||r U||^2 where the logit weights cancel, as a share of ||r||^2 ||U||^2. */
const rounding = 1e-7

/** ||r_i U|| of every row, through U U^T; 0 where it is no more than rounding. [n] */
async function logitNorms(
  kernels: Kernels,
  { directions, unembedding }: LogitDirections,
): Promise<Float64Array> {
  const gram = products(kernels, unembedding, unembedding)
  const projected = multiply(kernels, directions, gram)
  const [r, ru, squares] = await Promise.all([
    kernels.readF32(directions),
    kernels.readF32(projected),
    kernels.readF32(gram),
  ])
  for (const tensor of [gram, projected]) kernels.free(tensor)
  const width = directions.shape[1]
  let trace = 0
  for (let i = 0; i < width; i++) trace += squares[i * width + i]
  return Float64Array.from({ length: directions.shape[0] }, (_, row) => {
    let [norm, length] = [0, 0]
    for (let i = row * width; i < (row + 1) * width; i++) {
      norm += r[i] * ru[i]
      length += r[i] * r[i]
    }
    return norm > rounding * length * trace ? Math.sqrt(norm) : 0
  })
}

/** Divides each row by its norm; rows of norm 0 become zeros. In place. */
function scaledRows(values: Float32Array, norms: Float64Array): Float32Array {
  const width = values.length / norms.length
  for (let i = 0; i < values.length; i++) {
    const norm = norms[Math.floor(i / width)]
    values[i] = norm > 0 ? values[i] / norm : 0
  }
  return values
}

/** The columns of u [dModel, V] in another order. */
async function shuffled(kernels: Kernels, u: Tensor, seed: number): Promise<Tensor> {
  const [width, vocabulary] = u.shape
  const order = Random.named(seed, 'shuffled vocabulary').permutation(vocabulary)
  const values = await kernels.readF32(u)
  const moved = new Float32Array(values.length)
  for (let i = 0; i < width; i++)
    for (let v = 0; v < vocabulary; v++) moved[i * vocabulary + v] = values[i * vocabulary + order[v]]
  return kernels.tensor(moved, u.shape)
}
