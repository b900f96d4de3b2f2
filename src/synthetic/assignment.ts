/** Pairs of rows and columns, in which each occurs at most once. */
export interface Assignment {
  /** [rows] column of each row; -1 for the rows that get none, where there are more rows than columns */
  columnOf: Int32Array
  /** sum of the similarities of the pairs */
  total: number
}

/**
 * The matching of rows with columns, each used at most once, whose similarities have the largest sum: every row gets a column, or
 * every column a row where there are more rows than columns.
 *
 * Shortest augmenting paths (Jonker & Volgenant 1987, in the rectangular form of Crouse 2016, "On implementing 2D rectangular assignment
 * algorithms"): one row after the other is matched along the cheapest path in the residual graph, while prices of rows and columns
 * keep every reduced cost at 0 or above. O(rows^2 columns) at worst; features that mostly have a favourite of their own are
 * near O(rows columns).
 * @param similarity [rows, columns], finite
 */
export function assign(similarity: Float32Array, rows: number, columns: number): Assignment {
  const columnOf =
    rows <= columns
      ? assignRows(similarity, rows, columns)
      : inverse(assignRows(transposed(similarity, rows, columns), columns, rows), rows)
  let total = 0
  columnOf.forEach((column, row) => {
    if (column >= 0) total += similarity[row * columns + column]
  })
  return { columnOf, total }
}

/** Row of each column to column of each row. */
function inverse(rowOf: Int32Array, rows: number): Int32Array {
  const columnOf = new Int32Array(rows).fill(-1)
  rowOf.forEach((row, column) => {
    columnOf[row] = column
  })
  return columnOf
}

function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(x.length)
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = x[r * columns + c]
  return out
}

/** What the search for paths goes by. Costs are -similarity. */
interface Matching {
  similarity: Float32Array
  columns: number
  /** [rows] prices */
  rowPrices: Float64Array
  /** [columns] prices; cost - row price - column price is never below 0, and 0 for matched pairs */
  columnPrices: Float64Array
  /** [rows], -1: none yet */
  columnOf: Int32Array
  /** [columns], -1: none */
  rowOf: Int32Array
}

/** The tree of cheapest paths from one row to columns. */
interface PathTree {
  /** [columns] cost of the cheapest path found to a column; final for those that were visited */
  lengths: Float64Array
  /** [columns] the row before a column on that path */
  rowBefore: Int32Array
  /** [columns] first the visited columns, in the order of their lengths, then the others */
  order: Int32Array
}

/** `assign` for no more rows than columns. */
function assignRows(similarity: Float32Array, rows: number, columns: number): Int32Array {
  const matching: Matching = {
    similarity,
    columns,
    rowPrices: new Float64Array(rows),
    columnPrices: new Float64Array(columns),
    columnOf: new Int32Array(rows).fill(-1),
    rowOf: new Int32Array(columns).fill(-1),
  }
  const tree: PathTree = {
    lengths: new Float64Array(columns),
    rowBefore: new Int32Array(columns),
    order: new Int32Array(columns),
  }
  for (let row = 0; row < rows; row++) augment(matching, tree, row)
  return matching.columnOf
}

/** Matches one more row: finds the nearest free column, moves the prices, and swaps the pairs along the path. */
function augment(matching: Matching, tree: PathTree, start: number): void {
  const { rowPrices, columnPrices, columnOf, rowOf } = matching
  const visited = growTree(matching, tree, start)
  const { lengths, rowBefore, order } = tree
  const free = order[visited - 1]
  const length = lengths[free]
  rowPrices[start] += length
  for (let i = 0; i < visited; i++) {
    const column = order[i]
    if (rowOf[column] >= 0) rowPrices[rowOf[column]] += length - lengths[column]
    columnPrices[column] -= length - lengths[column]
  }
  for (let column = free, row = -1; row !== start; ) {
    row = rowBefore[column]
    rowOf[column] = row
    const next = columnOf[row]
    columnOf[row] = column
    column = next
  }
}

/** Dijkstra's search from a row until it meets a free column. @returns how many columns were visited; the last is the free one */
function growTree(
  { similarity, columns, rowPrices, columnPrices, rowOf }: Matching,
  { lengths, rowBefore, order }: PathTree,
  start: number,
): number {
  lengths.fill(Infinity)
  for (let i = 0; i < columns; i++) order[i] = i
  for (let visited = 0, row = start, reached = 0; ; ) {
    const offset = row * columns
    const base = reached - rowPrices[row]
    let [nearest, at] = [Infinity, -1]
    for (let i = visited; i < columns; i++) {
      const column = order[i]
      const length = base - similarity[offset + column] - columnPrices[column]
      if (length < lengths[column]) {
        lengths[column] = length
        rowBefore[column] = row
      }
      // among equals a free column ends the search at once
      if (lengths[column] < nearest || (lengths[column] === nearest && rowOf[column] < 0)) {
        nearest = lengths[column]
        at = i
      }
    }
    const column = order[at]
    order[at] = order[visited]
    order[visited++] = column
    reached = nearest
    if (rowOf[column] < 0) return visited
    row = rowOf[column]
  }
}
