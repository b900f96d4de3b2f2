import type { PooledTexts } from './pooled-texts.js'
import {
  columnMoments,
  fromDense,
  normaliseRows,
  type SparseMatrix,
  scaleColumns,
  selectRows,
} from './sparse-matrix.js'

/** Training and test texts in one kind of numbers; what they are scaled with comes from the training texts alone. */
export interface Representation {
  train: SparseMatrix
  test: SparseMatrix
}

/** The kinds of numbers that probes are fitted to. */
export type RepresentationName = 'features' | 'raw' | 'tokens'

/** All three, for one division of the texts. */
export function representations(
  pooled: PooledTexts,
  train: Int32Array,
  test: Int32Array,
): Record<RepresentationName, Representation> {
  return {
    features: scaled(selectRows(pooled.features, train), selectRows(pooled.features, test)),
    raw: standardised(pooled.raw, pooled.features.rows, train, test),
    tokens: { train: bag(selectRows(pooled.tokens, train)), test: bag(selectRows(pooled.tokens, test)) },
  }
}

/** Divided by each column's standard deviation; zeros stay zeros. */
function scaled(train: SparseMatrix, test: SparseMatrix): Representation {
  const scale = columnMoments(train).deviation.map((deviation) => (deviation > 1e-12 ? 1 / deviation : 0))
  return { train: scaleColumns(train, scale), test: scaleColumns(test, scale) }
}

/** Each column with mean 0 and standard deviation 1 over the training texts. */
function standardised(raw: Float32Array, texts: number, train: Int32Array, test: Int32Array): Representation {
  const d = raw.length / texts
  const { mean, deviation } = columnMoments(fromDense(rowsOf(raw, d, train), d))
  const prepare = (rows: Int32Array): SparseMatrix => {
    const part = Float64Array.from(rowsOf(raw, d, rows))
    return fromDense(
      part.map((value, i) => (deviation[i % d] > 1e-12 ? (value - mean[i % d]) / deviation[i % d] : 0)),
      d,
    )
  }
  return { train: prepare(train), test: prepare(test) }
}

function rowsOf(data: Float32Array, d: number, rows: Int32Array): Float32Array {
  const out = new Float32Array(rows.length * d)
  rows.forEach((row, i) => {
    out.set(data.subarray(row * d, (row + 1) * d), i * d)
  })
  return out
}

/** A token bag: log(1 + count), every text of length 1. */
const bag = (counts: SparseMatrix): SparseMatrix =>
  normaliseRows({ ...counts, values: counts.values.map(Math.log1p) })
