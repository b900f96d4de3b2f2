import type { Kernels, SaePairs, Tensor } from '../kernels/kernels.js'

/** Counts and sums over pairs (feature, column), owned by the kernels; `SaePairs` says what a table with too little room keeps. */
export interface PairTable {
  kernels: Kernels
  pairs: SaePairs
}

/** Pairs that a table holds at most, 128 MiB of them: with 4,096 features that is every pair with 4,096 columns. */
const maximumPairs = 2 ** 24

/** Fewest columns that a feature keeps, however many features there are. */
const smallestCapacity = 128

/**
 * @param maximum pairs to hold; more where a feature would keep fewer than 128 columns. Default 2^24
 * @param rows features that this table is of, where it is a part of the table of all `features`: as wide as that. Default: all
 */
export function createPairTable(
  kernels: Kernels,
  features: number,
  columns: number,
  weighBy: SaePairs['weighBy'],
  maximum = maximumPairs,
  rows = features,
): PairTable {
  const capacity = Math.min(columns, Math.max(smallestCapacity, Math.floor(maximum / features)))
  const exact = capacity === columns
  const shape = [rows, capacity]
  const size = kernels.tensor(new Int32Array(rows).fill(exact ? capacity : 0), [rows])
  const pairs: SaePairs = {
    weighBy,
    columns,
    ids: exact ? null : kernels.zeros(shape, 'i32'),
    size,
    count: kernels.zeros(shape, 'i32'),
    sum: kernels.zeros(shape),
    before: exact ? null : kernels.zeros(shape),
    missed: kernels.zeros([rows]),
  }
  return { kernels, pairs }
}

export function freePairTable({ kernels, pairs }: PairTable): void {
  for (const tensor of [pairs.ids, pairs.size, pairs.count, pairs.sum, pairs.before, pairs.missed])
    if (tensor) kernels.free(tensor)
}

/** What a table knows of one pair. */
export interface PairSums {
  column: number
  /** since the column was kept */
  count: number
  sum: number
  /** the most weight that is missing from them; 0: exact */
  missed: number
}

/** A copy of the rows of some consecutive features. */
export interface PairBlock {
  first: number
  capacity: number
  ids: Int32Array | null
  size: Int32Array
  count: Int32Array
  sum: Float32Array
  before: Float32Array | null
  missed: Float32Array
}

/** Reads the rows of features `first` .. first + count - 1, once all that was added is counted. */
export async function readPairs(
  { kernels, pairs }: PairTable,
  first: number,
  count: number,
): Promise<PairBlock> {
  const read = (tensor: Tensor) => kernels.read(kernels.rows(tensor, first, count))
  const optional = (tensor: Tensor | null) => (tensor === null ? null : read(tensor))
  const [ids, size, counts, sum, before, missed] = await Promise.all([
    ...[optional(pairs.ids), read(pairs.size), read(pairs.count)],
    ...[read(pairs.sum), optional(pairs.before), read(pairs.missed)],
  ])
  return {
    first,
    capacity: pairs.sum.shape[1],
    ids: ids as Int32Array | null,
    size: size as Int32Array,
    count: counts as Int32Array,
    sum: sum as Float32Array,
    before: before as Float32Array | null,
    missed: missed as Float32Array,
  }
}

/** The columns that come with a feature, in no particular order. */
export function pairsOf(block: PairBlock, feature: number): PairSums[] {
  const { capacity, ids, count, sum, before } = block
  const row = feature - block.first
  const pairs: PairSums[] = []
  for (let place = row * capacity; place < row * capacity + block.size[row]; place++)
    if (count[place] > 0)
      pairs.push({
        column: ids === null ? place - row * capacity : ids[place],
        count: count[place],
        sum: sum[place],
        missed: before === null ? 0 : before[place],
      })
  return pairs
}

/** The most weight that may be missing of any column of a feature. */
export const missedBy = (block: PairBlock, feature: number): number => block.missed[feature - block.first]
