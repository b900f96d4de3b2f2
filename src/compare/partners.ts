import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { CrossSums } from './cross-sums.js'

/** For each column of one set, the columns of another whose activations go with its own. */
export interface Partners {
  /** partners kept for each */
  k: number
  /**
   * [width, k] columns of the other set, largest correlation first, among equals the lower column; -1 where there are fewer than k: one that is
   * underpowered, or fires on no token with any other, has none
   */
  ids: Int32Array
  /** [width, k] Pearson correlation of the activations over all tokens; NaN where there is none */
  correlations: Float64Array
  /** [width, k] tokens on which both fired; 0 where one side are neurons */
  together: Int32Array
  /** [width, k] by how much the correlation may be too low; 0 where all pairs were counted */
  uncertainty: Float64Array
}

/** Rows that are read back from the kernels at once. */
const blockRows = 256

/** What a correlation takes to know of each column. */
export interface CorrelatedColumns {
  /** [width] mean and population variance of the values that the sums of products were made of */
  mean: Float64Array
  variance: Float64Array
  /** [width] 1 where it may have partners, or be one */
  powered: Uint8Array
}

/**
 * The largest Pearson correlations of each column: (n sum xy - sum x sum y) / sqrt((n sum x^2 - (sum x)^2) (n sum y^2 - (sum y)^2)).
 */
export async function findPartners(
  sums: CrossSums,
  { from, to }: { from: CorrelatedColumns; to: CorrelatedColumns },
  { k, tokens }: { k: number; tokens: number },
  context: StageContext,
): Promise<Partners> {
  const width = from.mean.length
  const partners = emptyPartners(width, k)
  const task = context.progress.start('find partners', width, 'columns')
  for (let first = 0; first < width; first += blockRows) {
    throwIfInterrupted(context.signal)
    const end = Math.min(width, first + blockRows)
    const visitRow = await sums.read(first, end - first)
    for (let row = first; row < end; row++) {
      if (!from.powered[row]) continue
      const [mean, variance] = [from.mean[row], from.variance[row]]
      const worst = row * k + k - 1
      visitRow(row, (column, together, sum, missed) => {
        if (!to.powered[column]) return
        const spread = Math.sqrt(variance * to.variance[column])
        const correlation = (sum / tokens - mean * to.mean[column]) / spread
        // Most pairs end here, and there are F^2 of them.
        if (partners.ids[worst] >= 0 && partners.correlations[worst] > correlation) return
        keep(partners, row, { column, together, correlation, uncertainty: missed / tokens / spread })
      })
    }
    task.update(end)
  }
  task.end()
  return partners
}

function emptyPartners(width: number, k: number): Partners {
  return {
    k,
    ids: new Int32Array(width * k).fill(-1),
    correlations: new Float64Array(width * k).fill(Number.NaN),
    together: new Int32Array(width * k),
    uncertainty: new Float64Array(width * k),
  }
}

/** Puts a partner where it belongs among the k best of a row. */
function keep(
  { k, ids, correlations, together, uncertainty }: Partners,
  row: number,
  partner: { column: number; together: number; correlation: number; uncertainty: number },
): void {
  const [base, end] = [row * k, row * k + k]
  const before = (place: number): boolean =>
    ids[place] < 0 ||
    correlations[place] < partner.correlation ||
    (correlations[place] === partner.correlation && ids[place] > partner.column)
  if (k === 0 || !before(end - 1)) return
  let at = end - 1
  while (at > base && before(at - 1)) at--
  for (const list of [ids, correlations, together, uncertainty]) list.copyWithin(at + 1, at, end - 1)
  ids[at] = partner.column
  correlations[at] = partner.correlation
  together[at] = partner.together
  uncertainty[at] = partner.uncertainty
}
