import type { ColumnValues } from './columns.js'

/** Sums over all tokens of each column, in double precision. */
export interface ColumnSums {
  tokens: number
  /** [width] tokens with an activation above 0 */
  fires: Float64Array
  /** [width] sum of (x - centre) and of its square */
  sum: Float64Array
  squares: Float64Array
  /**
   * [width] subtracted from the activations of neurons before anything is summed, so that a mean that is large beside the spread costs no digits; a
   * correlation does not depend on it. Zeros for features.
   */
  centre: Float32Array
}

/** What is known of each column by itself. */
export interface ColumnStatistics {
  /** [width] tokens with an activation above 0 */
  fires: Float64Array
  /** [width] over all tokens, zeros included */
  mean: Float64Array
  /** [width] population variance over all tokens */
  variance: Float64Array
  /** [width] 1 where there is enough to correlate: a feature fired on `minFires` tokens, and does not have the same activation everywhere */
  powered: Uint8Array
  /** columns that are not */
  underpowered: number
}

export function createColumnSums(width: number): ColumnSums {
  return {
    tokens: 0,
    fires: new Float64Array(width),
    sum: new Float64Array(width),
    squares: new Float64Array(width),
    centre: new Float32Array(width),
  }
}

/**
 * Adds n tokens.
 * @returns the values with the centre taken off, which sums of products must be made of
 */
export function addColumns(sums: ColumnSums, values: ColumnValues, n: number): ColumnValues {
  if (values.kind === 'neurons') {
    if (sums.tokens === 0) sums.centre = meanRow(values.x, sums.sum.length)
    const x = centred(values.x, sums.centre)
    addNeurons(sums, x)
    sums.tokens += n
    return { kind: 'neurons', x }
  }
  const { featureIds, values: activations } = values.codes
  for (let i = 0; i < featureIds.length; i++) {
    const id = featureIds[i]
    sums.fires[id]++
    sums.sum[id] += activations[i]
    sums.squares[id] += activations[i] ** 2
  }
  sums.tokens += n
  return values
}

/** @param x [n, D] with the centre taken off */
function addNeurons({ fires, sum, squares, centre }: ColumnSums, x: Float32Array): void {
  const d = centre.length
  for (let base = 0; base < x.length; base += d)
    for (let j = 0; j < d; j++) {
      const value = x[base + j]
      if (value + centre[j] > 0) fires[j]++
      sum[j] += value
      squares[j] += value * value
    }
}

function meanRow(x: Float32Array, d: number): Float32Array {
  const sum = new Float64Array(d)
  for (let i = 0; i < x.length; i++) sum[i % d] += x[i]
  return Float32Array.from(sum, (total) => (total * d) / Math.max(1, x.length))
}

function centred(x: Float32Array, centre: Float32Array): Float32Array {
  const d = centre.length
  return x.map((value, i) => value - centre[i % d])
}

/** Variance that rounding alone can give to a column whose activation never changes, as a share of its square. */
const roundingVariance = 1e-10

/** @param minFires fewest tokens that a feature must have fired on; neurons, which are hardly ever 0, need only vary */
export function columnStatistics(
  { tokens, fires, sum, squares, centre }: ColumnSums,
  kind: ColumnValues['kind'],
  minFires: number,
): ColumnStatistics {
  const mean = sum.map((total, j) => centre[j] + total / tokens)
  const variance = sum.map((total, j) => Math.max(0, squares[j] / tokens - (total / tokens) ** 2))
  const powered = Uint8Array.from(variance, (v, j) =>
    v > roundingVariance * mean[j] ** 2 && (kind === 'neurons' || fires[j] >= minFires) ? 1 : 0,
  )
  const underpowered = powered.reduce((count, is) => count + 1 - is, 0)
  return { fires, mean, variance, powered, underpowered }
}
