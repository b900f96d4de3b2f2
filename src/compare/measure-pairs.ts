import type { TokenSplit } from '../corpus/corpus.js'
import { locate } from '../corpus/windows.js'
import { sampleWindows } from '../eval/sample-windows.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { type Columns, type ColumnValues, widthOf } from './columns.js'
import { type ColumnBatch, readColumns } from './read-columns.js'

export interface MeasurePairsOptions {
  columns: readonly Columns[]
  /** each column of `from` with one column of `to`: `partners` [width of from], -1 for none; `from` and `to` are indices into `columns` */
  pairs: readonly ColumnPairs[]
  split: TokenSplit
  startOfText: number
  /** size of the sample, spread evenly over the split */
  tokens: number
  batchWindows: number
  /** groups that whole documents are dealt out to */
  groups: number
  /** sees every batch */
  visit?: (batch: ColumnBatch) => void
}

export interface ColumnPairs {
  from: number
  to: number
  partners: Int32Array
}

/** Sums over text from which the correlations of chosen pairs follow, kept apart by groups of documents, so that these can be drawn again. */
export interface PairSums {
  /** G */
  groups: number
  /** text positions in each group, [G] */
  tokens: Float64Array
  /** documents with text in the sample */
  documents: number
  /** by column set: [G, width] sums of activations and of their squares */
  columns: { sum: Float64Array; squares: Float64Array; width: number }[]
  /** by pair list: [G, width of from] sums of products */
  products: Float64Array[]
}

/**
 * Reads text with all columns and sums up what the correlations of chosen pairs are made of, in double precision.
 * @throws MonosemError as `readColumns`
 */
export async function measurePairs(
  options: MeasurePairsOptions,
  context: StageContext = { progress: silentProgress },
): Promise<PairSums> {
  const { columns, pairs, groups, split } = options
  const contextLength = Math.min(...columns.map(({ model }) => model.config.context))
  const windows = sampleWindows(split, contextLength, options.tokens)
  const sums: PairSums = {
    groups,
    tokens: new Float64Array(groups),
    documents: 0,
    columns: columns.map((set) => createSums(groups, widthOf(set))),
    products: pairs.map(({ from }) => new Float64Array(groups * widthOf(columns[from]))),
  }
  const task = context.progress.start('measure partners', windows.length * contextLength, 'tokens')
  const scratch = columns.map((set) => new Float32Array(widthOf(set)))
  const placeOf = new Map(Array.from(split.documentIds, (id, place) => [id, place]))
  const documents = new Set<number>()
  let done = 0
  for await (const batch of readColumns({ ...options, contextLength, windows })) {
    throwIfInterrupted(context.signal)
    options.visit?.(batch)
    batch.positions.forEach((position, row) => {
      const { document } = locate(split, position)
      documents.add(document)
      addToken(sums, pairs, batch.values, scratch, row, (placeOf.get(document) as number) % groups)
    })
    done += batch.windows
    task.update(done * contextLength)
  }
  task.end()
  sums.documents = documents.size
  return sums
}

const createSums = (groups: number, width: number) => ({
  sum: new Float64Array(groups * width),
  squares: new Float64Array(groups * width),
  width,
})

/** Adds one token. @param scratch zeros, one for each column set; left as zeros */
function addToken(
  sums: PairSums,
  pairs: readonly ColumnPairs[],
  values: readonly ColumnValues[],
  scratch: readonly Float32Array[],
  row: number,
  group: number,
): void {
  sums.tokens[group]++
  values.forEach((held, set) => {
    const { sum, squares, width } = sums.columns[set]
    eachActive(held, row, width, (column, value) => {
      scratch[set][column] = value
      sum[group * width + column] += value
      squares[group * width + column] += value * value
    })
  })
  pairs.forEach(({ from, to, partners }, p) => {
    const { width } = sums.columns[from]
    eachActive(values[from], row, width, (column, value) => {
      const partner = partners[column]
      if (partner >= 0) sums.products[p][group * width + column] += value * scratch[to][partner]
    })
  })
  values.forEach((held, set) => {
    eachActive(held, row, sums.columns[set].width, (column) => {
      scratch[set][column] = 0
    })
  })
}

function eachActive(
  values: ColumnValues,
  row: number,
  width: number,
  visit: (column: number, value: number) => void,
): void {
  if (values.kind === 'neurons') {
    for (let column = 0; column < width; column++) visit(column, values.x[row * width + column])
    return
  }
  const { rowOffsets, featureIds, values: activations } = values.codes
  for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++) visit(featureIds[e], activations[e])
}

/**
 * Pearson correlation of each pair over the sample, each group of documents counted `weights[g]` times. [width of from]; NaN where there is no partner,
 * or one of both does not vary.
 */
export function pairCorrelations(
  sums: PairSums,
  pairs: readonly ColumnPairs[],
  p: number,
  weights: ArrayLike<number>,
): Float64Array {
  const { from, to, partners } = pairs[p]
  const n = weighted(sums.tokens, weights, 1)[0]
  const [x, y] = [from, to].map((set) => {
    const { sum, squares, width } = sums.columns[set]
    return { sum: weighted(sum, weights, width), squares: weighted(squares, weights, width) }
  })
  const products = weighted(sums.products[p], weights, sums.columns[from].width)
  return products.map((product, i) => {
    const j = partners[i]
    if (j < 0) return Number.NaN
    const xVariance = n * x.squares[i] - x.sum[i] ** 2
    const yVariance = n * y.squares[j] - y.sum[j] ** 2
    // Rounding leaves a constant column a little variance: less than a billionth of its square sum is none.
    if (xVariance <= 1e-9 * n * x.squares[i] || yVariance <= 1e-9 * n * y.squares[j]) return Number.NaN
    return (n * product - x.sum[i] * y.sum[j]) / Math.sqrt(xVariance * yVariance)
  })
}

/** Sum over groups of weight times row. values [G, width] -> [width] */
function weighted(values: Float64Array, weights: ArrayLike<number>, width: number): Float64Array {
  const total = new Float64Array(width)
  for (let g = 0; g < weights.length; g++) {
    const weight = weights[g]
    if (weight === 0) continue
    for (let i = 0; i < width; i++) total[i] += weight * values[g * width + i]
  }
  return total
}
