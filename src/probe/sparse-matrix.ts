/** Compressed rows: entries of row i are at rowOffsets[i] to rowOffsets[i + 1], column ids ascending. Zeros are left out. */
export interface SparseMatrix {
  rows: number
  columns: number
  /** [rows + 1] */
  rowOffsets: Int32Array
  /** [entries] */
  columnIds: Int32Array
  /** [entries] */
  values: Float64Array
}

/** A matrix that rows are added to one by one. */
export interface SparseBuilder {
  /** @param columnIds ascending */
  add(columnIds: ArrayLike<number>, values: ArrayLike<number>): void
  build(): SparseMatrix
}

export function createSparseBuilder(columns: number): SparseBuilder {
  const offsets = [0]
  let ids = new Int32Array(1024)
  let values = new Float64Array(1024)
  let used = 0
  const grow = (needed: number): void => {
    if (needed <= ids.length) return
    const size = Math.max(needed, 2 * ids.length)
    const [oldIds, oldValues] = [ids, values]
    ids = new Int32Array(size)
    ids.set(oldIds)
    values = new Float64Array(size)
    values.set(oldValues)
  }
  return {
    add(columnIds, rowValues) {
      grow(used + columnIds.length)
      for (let e = 0; e < columnIds.length; e++)
        if (rowValues[e] !== 0) {
          ids[used] = columnIds[e]
          values[used++] = rowValues[e]
        }
      offsets.push(used)
    },
    build: () => ({
      rows: offsets.length - 1,
      columns,
      rowOffsets: Int32Array.from(offsets),
      columnIds: ids.slice(0, used),
      values: values.slice(0, used),
    }),
  }
}

/** A dense matrix [rows, columns], row-major, as compressed rows. */
export function fromDense(data: ArrayLike<number>, columns: number): SparseMatrix {
  const builder = createSparseBuilder(columns)
  const ids = Int32Array.from({ length: columns }, (_, j) => j)
  const row = new Float64Array(columns)
  for (let base = 0; base < data.length; base += columns) {
    for (let j = 0; j < columns; j++) row[j] = data[base + j]
    builder.add(ids, row)
  }
  return builder.build()
}

/** X w: [rows] from [columns]. */
export function times(x: SparseMatrix, w: Float64Array): Float64Array {
  const out = new Float64Array(x.rows)
  for (let i = 0; i < x.rows; i++) {
    let sum = 0
    for (let e = x.rowOffsets[i]; e < x.rowOffsets[i + 1]; e++) sum += x.values[e] * w[x.columnIds[e]]
    out[i] = sum
  }
  return out
}

/** X^T r: [columns] from [rows]. */
export function transposeTimes(x: SparseMatrix, r: Float64Array): Float64Array {
  const out = new Float64Array(x.columns)
  for (let i = 0; i < x.rows; i++)
    for (let e = x.rowOffsets[i]; e < x.rowOffsets[i + 1]; e++) out[x.columnIds[e]] += x.values[e] * r[i]
  return out
}

/** X^T as compressed rows: the columns of X. */
export function transpose(x: SparseMatrix): SparseMatrix {
  const rowOffsets = new Int32Array(x.columns + 1)
  for (const column of x.columnIds) rowOffsets[column + 1]++
  for (let j = 0; j < x.columns; j++) rowOffsets[j + 1] += rowOffsets[j]
  const next = rowOffsets.slice()
  const columnIds = new Int32Array(x.columnIds.length)
  const values = new Float64Array(x.values.length)
  for (let i = 0; i < x.rows; i++)
    for (let e = x.rowOffsets[i]; e < x.rowOffsets[i + 1]; e++) {
      const at = next[x.columnIds[e]]++
      columnIds[at] = i
      values[at] = x.values[e]
    }
  return { rows: x.columns, columns: x.rows, rowOffsets, columnIds, values }
}

/** The rows of these indices, in this order. */
export function selectRows(x: SparseMatrix, rows: Int32Array): SparseMatrix {
  const builder = createSparseBuilder(x.columns)
  for (const row of rows) {
    const [first, end] = [x.rowOffsets[row], x.rowOffsets[row + 1]]
    builder.add(x.columnIds.subarray(first, end), x.values.subarray(first, end))
  }
  return builder.build()
}

/** The columns of these ids, which become 0, 1, ... in this order. */
export function selectColumns(x: SparseMatrix, columns: readonly number[]): SparseMatrix {
  const place = new Map(columns.map((column, i) => [column, i]))
  const builder = createSparseBuilder(columns.length)
  for (let i = 0; i < x.rows; i++) {
    const row = new Float64Array(columns.length)
    for (let e = x.rowOffsets[i]; e < x.rowOffsets[i + 1]; e++) {
      const at = place.get(x.columnIds[e])
      if (at !== undefined) row[at] = x.values[e]
    }
    builder.add(
      columns.map((_, j) => j),
      row,
    )
  }
  return builder.build()
}

/** Every column j multiplied by scale[j]. */
export function scaleColumns(x: SparseMatrix, scale: Float64Array): SparseMatrix {
  return { ...x, values: x.values.map((value, e) => value * scale[x.columnIds[e]]) }
}

/** Every row divided by its Euclidean length. */
export function normaliseRows(x: SparseMatrix): SparseMatrix {
  const values = x.values.slice()
  for (let i = 0; i < x.rows; i++) {
    let square = 0
    for (let e = x.rowOffsets[i]; e < x.rowOffsets[i + 1]; e++) square += values[e] ** 2
    for (let e = x.rowOffsets[i]; e < x.rowOffsets[i + 1]; e++) values[e] /= Math.sqrt(square)
  }
  return { ...x, values }
}

/** Mean and standard deviation of every column over all rows, zeros included. [columns] each */
export function columnMoments(x: SparseMatrix): { mean: Float64Array; deviation: Float64Array } {
  const mean = new Float64Array(x.columns)
  const square = new Float64Array(x.columns)
  const entries = new Float64Array(x.columns)
  for (let e = 0; e < x.values.length; e++) mean[x.columnIds[e]] += x.values[e] / x.rows
  for (let e = 0; e < x.values.length; e++) {
    const column = x.columnIds[e]
    square[column] += (x.values[e] - mean[column]) ** 2
    entries[column]++
  }
  const deviation = square.map((sum, j) => Math.sqrt((sum + (x.rows - entries[j]) * mean[j] ** 2) / x.rows))
  return { mean, deviation }
}
