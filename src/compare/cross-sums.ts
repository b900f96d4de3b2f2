import { createPairTable, freePairTable, type PairTable, readPairs } from '../features/pair-table.js'
import type { Codes, Kernels, Tensor } from '../kernels/kernels.js'
import type { ColumnValues } from './columns.js'

/** What a row of sums calls for each column that it knows of. @param missed the most that may be missing from the sum; 0: exact */
export type VisitPair = (column: number, together: number, sum: number, missed: number) => void

/**
 * Sums over tokens of products x_i y_j, for each column i of one set and each column j of another. Between features, pairs that fire together are
 * counted in a table of pairs (`SaePairs` says what it keeps where it is too small for all); where one side are neurons, every pair has its sum.
 */
export interface CrossSums {
  /** Adds the same n tokens of both. Enqueues only. */
  add(from: ColumnValues, to: ColumnValues): void
  /** Copies the sums of `count` rows (columns of `from`) and visits them. The pairs left out share no token. */
  read(first: number, count: number): Promise<(row: number, visit: VisitPair) => void>
  free(): void
}

export interface CrossShape {
  from: ColumnValues['kind']
  to: ColumnValues['kind']
  /** columns of each */
  rows: number
  columns: number
  /** pairs of features that are counted at most, see `createPairTable` */
  maximumPairs?: number
}

export function createCrossSums(kernels: Kernels, shape: CrossShape): CrossSums {
  if (shape.from === 'features' && shape.to === 'features') return featuresWithFeatures(kernels, shape)
  if (shape.from === 'features') return featuresWithNeurons(kernels, shape.rows, shape.columns)
  if (shape.to === 'features') return neuronsWithFeatures(kernels, shape.rows, shape.columns)
  return neuronsWithNeurons(kernels, shape.rows, shape.columns)
}

function featuresWithFeatures(kernels: Kernels, { rows, columns, maximumPairs }: CrossShape): CrossSums {
  const table = createPairTable(kernels, rows, columns, 'sum', maximumPairs)
  return {
    add: (from, to) => kernels.saeAddPairs(table.pairs, codesOf(from), codesOf(to)),
    read: (first, count) => readTable(table, first, count),
    free: () => freePairTable(table),
  }
}

async function readTable(table: PairTable, first: number, count: number) {
  const { capacity, ids, size, count: together, sum, before } = await readPairs(table, first, count)
  return (row: number, visit: VisitPair): void => {
    const base = (row - first) * capacity
    for (let place = base; place < base + size[row - first]; place++)
      if (together[place] > 0)
        visit(ids?.[place] ?? place - base, together[place], sum[place], before?.[place] ?? 0)
  }
}

function featuresWithNeurons(kernels: Kernels, features: number, d: number): CrossSums {
  const products = kernels.zeros([features, d])
  return {
    add: (from, to) => withTensor(kernels, to, d, (x) => kernels.saeAddProducts(products, codesOf(from), x)),
    read: (first, count) => readMatrix(kernels, products, first, count),
    free: () => kernels.free(products),
  }
}

/** The sums are made as those of features with neurons, and transposed when they are read. */
function neuronsWithFeatures(kernels: Kernels, d: number, features: number): CrossSums {
  const products = kernels.zeros([features, d])
  const transposed = kernels.zeros([d, features])
  return {
    add: (from, to) => withTensor(kernels, from, d, (x) => kernels.saeAddProducts(products, codesOf(to), x)),
    read: (first, count) => {
      kernels.transpose(transposed, products)
      return readMatrix(kernels, transposed, first, count)
    },
    free: () => {
      kernels.free(products)
      kernels.free(transposed)
    },
  }
}

function neuronsWithNeurons(kernels: Kernels, rows: number, columns: number): CrossSums {
  const products = kernels.zeros([rows, columns])
  return {
    add: (from, to) =>
      withTensor(kernels, from, rows, (x) =>
        withTensor(kernels, to, columns, (y) =>
          // x^T y is the gradient of a linear layer's weights; the weights themselves are not read for it.
          kernels.linearBackward(null, products, null, y, x, products),
        ),
      ),
    read: (first, count) => readMatrix(kernels, products, first, count),
    free: () => kernels.free(products),
  }
}

async function readMatrix(kernels: Kernels, matrix: Tensor, first: number, count: number) {
  const columns = matrix.shape[1]
  const sums = await kernels.readF32(kernels.rows(matrix, first, count))
  return (row: number, visit: VisitPair): void => {
    const base = (row - first) * columns
    for (let column = 0; column < columns; column++) visit(column, 0, sums[base + column], 0)
  }
}

const codesOf = (values: ColumnValues): Codes => (values as ColumnValues & { kind: 'features' }).codes

/** Lends the kernels the activations of neurons while `use` enqueues. */
function withTensor(kernels: Kernels, values: ColumnValues, d: number, use: (x: Tensor) => void): void {
  const { x } = values as ColumnValues & { kind: 'neurons' }
  const tensor = kernels.tensor(x, [x.length / d, d])
  use(tensor)
  kernels.free(tensor)
}
