/**
 * Counts and sums over pairs (row, column), for the columns that weigh most in each row, in memory that does not grow with what is
 * added. With room for every column it is exact. Otherwise it is a Misra-Gries summary (merged in chunks as in Agarwal et al. 2012,
 * "Mergeable summaries"): a row keeps `capacity` columns, and the lightest make room for heavier ones. A column that weighs more than
 * 1 / (capacity + 1) of its row is certainly kept, and `missed` bounds what was not counted.
 */
export interface PairTable {
  rows: number
  columns: number
  /** columns that a row keeps; equal to `columns`: all, and then place c of a row belongs to column c */
  capacity: number
  /** what decides which columns are kept */
  weighBy: 'count' | 'sum'
  /** [rows, capacity] the columns kept; null where the table is exact */
  ids: Int32Array | null
  /** [rows] how many a row keeps */
  size: Int32Array
  /** [rows, capacity] */
  count: Uint32Array
  sum: Float64Array
  /** [rows, capacity] the most weight that the column can have had before it was kept */
  before: Float64Array | null
  /** [rows] the most weight that a column that is not kept can have */
  missed: Float64Array
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

/** Pairs that a table may hold: 2^24 take 200 MiB. */
export const maximumPairs = 2 ** 24

/** Fewest columns that a row keeps, however many rows there are. */
const smallestCapacity = 128

/** @param maximum pairs that may be held; more where rows would keep fewer than 128 columns. Default 2^24 */
export function createPairTable(
  rows: number,
  columns: number,
  weighBy: PairTable['weighBy'],
  maximum = maximumPairs,
): PairTable {
  const capacity = Math.min(columns, Math.max(smallestCapacity, Math.floor(maximum / rows)))
  const exact = capacity === columns
  return {
    rows,
    columns,
    capacity,
    weighBy,
    ids: exact ? null : new Int32Array(rows * capacity),
    size: new Int32Array(rows).fill(exact ? columns : 0),
    count: new Uint32Array(rows * capacity),
    sum: new Float64Array(rows * capacity),
    before: exact ? null : new Float64Array(rows * capacity),
    missed: new Float64Array(rows),
  }
}

/** Counts and sums of one row's columns on their way into a table; empty again once added. */
export interface RowSums {
  /** [columns] */
  count: Uint32Array
  sum: Float64Array
  /** [columns] the first `size` are the columns with a count, in the order in which they came */
  touched: Int32Array
  size: number
}

export function createRowSums(columns: number): RowSums {
  return {
    count: new Uint32Array(columns),
    sum: new Float64Array(columns),
    touched: new Int32Array(columns),
    size: 0,
  }
}

/** Adds one occurrence of a column, with its value. */
export function addToRow(sums: RowSums, column: number, value: number): void {
  if (sums.count[column]++ === 0) sums.touched[sums.size++] = column
  sums.sum[column] += value
}

/** Adds what was gathered for one row, and empties `sums`. */
export function addRow(table: PairTable, row: number, sums: RowSums): void {
  const { capacity, count, sum, ids } = table
  const base = row * capacity
  if (ids === null) {
    for (let i = 0; i < sums.size; i++) {
      const column = sums.touched[i]
      count[base + column] += sums.count[column]
      sum[base + column] += sums.sum[column]
    }
  } else {
    for (let place = base; place < base + table.size[row]; place++) {
      const column = ids[place]
      count[place] += sums.count[column]
      sum[place] += sums.sum[column]
      sums.count[column] = 0
      sums.sum[column] = 0
    }
    addColumns(table, ids, row, sums)
  }
  for (let i = 0; i < sums.size; i++) {
    sums.count[sums.touched[i]] = 0
    sums.sum[sums.touched[i]] = 0
  }
  sums.size = 0
}

/** Makes room for columns that the row did not keep. */
function addColumns(table: PairTable, ids: Int32Array, row: number, sums: RowSums): void {
  const newcomers: PairSums[] = []
  for (let i = 0; i < sums.size; i++) {
    const column = sums.touched[i]
    if (sums.count[column] === 0) continue
    newcomers.push({ column, count: sums.count[column], sum: sums.sum[column], missed: table.missed[row] })
  }
  if (newcomers.length === 0) return
  const weight = (pair: PairSums): number => pair.missed + (table.weighBy === 'count' ? pair.count : pair.sum)
  const pairs = [...pairsOf(table, row), ...newcomers]
  if (pairs.length > table.capacity) pairs.sort((a, b) => weight(b) - weight(a) || a.column - b.column)
  const kept = pairs.slice(0, table.capacity)
  if (pairs.length > kept.length) table.missed[row] = Math.max(table.missed[row], weight(pairs[kept.length]))
  const base = row * table.capacity
  const before = table.before as Float64Array
  kept.forEach((pair, i) => {
    ids[base + i] = pair.column
    table.count[base + i] = pair.count
    table.sum[base + i] = pair.sum
    before[base + i] = pair.missed
  })
  table.size[row] = kept.length
}

/** The columns with a count that a row keeps, in no particular order. */
export function pairsOf(table: PairTable, row: number): PairSums[] {
  const { capacity, ids, count, sum, before } = table
  const pairs: PairSums[] = []
  for (let place = row * capacity; place < row * capacity + table.size[row]; place++)
    if (count[place] > 0)
      pairs.push({
        column: ids === null ? place - row * capacity : ids[place],
        count: count[place],
        sum: sum[place],
        missed: before === null ? 0 : before[place],
      })
  return pairs
}
