import type { Kernels, SaeTensors, Tensor } from '../kernels/kernels.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'

/** The nearest features of some features, by the cosine of decoder rows. */
export interface Neighbours {
  /** neighbours of each feature: what was asked for, or all the others when there are fewer */
  k: number
  /** [n, k] rows of the nearest, largest cosine first; the lower row first among equals */
  rows: Int32Array
  /** [n, k] */
  cosines: Float32Array
}

/** Directions whose neighbours are looked for at once. */
const blockRows = 1024

/**
 * The k nearest of every decoder direction, itself left out. A row of zeros has cosine 0 with every other.
 *
 * No [n, n] matrix is held: unit directions encode themselves with a TopK activation, whose kernel keeps only the
 * largest products of a row. A bias of 2 makes every product positive, so that directions that point away are ranked too. What
 * is found is computed again in double precision, and ordered by that.
 * @param wDec [n, D]
 * @throws MonosemError interrupted
 */
export async function decoderNeighbours(
  kernels: Kernels,
  wDec: Tensor,
  k: number,
  context: StageContext = { progress: silentProgress },
): Promise<Neighbours> {
  const [n, d] = wDec.shape
  const kept = Math.min(k, n - 1)
  const found: Neighbours = {
    k: kept,
    rows: new Int32Array(n * kept),
    cosines: new Float32Array(n * kept),
  }
  if (kept < 1) return { k: 0, rows: new Int32Array(0), cosines: new Float32Array(0) }
  const directions = unitRows(await kernels.readF32(wDec), n, d)
  const search = createSearch(kernels, directions, n, d, kept + 1)
  const task = context.progress.start('find nearest features', n, 'features')
  try {
    for (let first = 0; first < n; first += blockRows) {
      throwIfInterrupted(context.signal)
      const count = Math.min(blockRows, n - first)
      const { rowOffsets, featureIds } = await search.nearest(first, count)
      for (let i = 0; i < count; i++) {
        const candidates = featureIds.subarray(rowOffsets[i], rowOffsets[i + 1])
        keepNearest(found, directions, d, first + i, candidates)
      }
      task.update(first + count)
    }
  } finally {
    search.free()
  }
  task.end()
  return found
}

/** Rows scaled to length 1; rows of zeros stay. */
function unitRows(rows: Float32Array, n: number, d: number): Float32Array {
  const unit = rows.slice()
  for (let i = 0; i < n; i++) {
    const row = unit.subarray(i * d, (i + 1) * d)
    const norm = Math.sqrt(dot(row, row))
    if (norm > 0) for (let j = 0; j < d; j++) row[j] /= norm
  }
  return unit
}

/** The largest products of each row with all rows, by the TopK encoder. */
function createSearch(kernels: Kernels, directions: Float32Array, n: number, d: number, k: number) {
  const unit = kernels.tensor(directions, [n, d])
  const bias = kernels.tensor(new Float32Array(n).fill(2), [n])
  const zeros = kernels.zeros([d])
  const params: SaeTensors = { wEnc: unit, bEnc: bias, wDec: unit, bDec: zeros }
  const packed = kernels.saePack(unit, 'fp32', null)
  const form = { activation: { kind: 'topk', k }, subtractDecoderBias: false } as const
  return {
    nearest: (first: number, count: number) =>
      kernels.saeEncode(params, kernels.rows(unit, first, count), form, packed),
    free: () => {
      kernels.saeFreePacked(packed)
      for (const tensor of [unit, bias, zeros]) kernels.free(tensor)
    },
  }
}

function keepNearest(
  found: Neighbours,
  directions: Float32Array,
  d: number,
  row: number,
  candidates: Int32Array,
): void {
  const own = directions.subarray(row * d, (row + 1) * d)
  const nearest = Array.from(candidates)
    .filter((other) => other !== row)
    .map((other) => ({ other, cosine: dot(own, directions.subarray(other * d, (other + 1) * d)) }))
    .sort((a, b) => b.cosine - a.cosine || a.other - b.other)
  for (let i = 0; i < found.k; i++) {
    found.rows[row * found.k + i] = nearest[i].other
    found.cosines[row * found.k + i] = nearest[i].cosine
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}
