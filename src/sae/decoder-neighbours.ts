import { singleRank } from '../distributed/communicator.js'
import { inOrder } from '../distributed/in-order.js'
import type { Codes, Kernels, SaeTensors, Tensor } from '../kernels/kernels.js'
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
 * The k nearest of every decoder direction, itself left out. A row of zeros has cosine 0 with every other. The ranks of `context` share the work; all
 * of them get the whole.
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
  const rows = unitRows(await kernels.readF32(wDec), n, d)
  return nearest(kernels, { from: rows, to: rows, d, k: Math.min(k, n - 1), itself: false }, context)
}

/**
 * For every direction of one decoder, the k nearest of another.
 * @param from [n, D]
 * @param to [m, D]
 * @throws MonosemError interrupted
 */
export async function decoderPartners(
  kernels: Kernels,
  from: Tensor,
  to: Tensor,
  k: number,
  context: StageContext = { progress: silentProgress },
): Promise<Neighbours> {
  const [[n, d], [m]] = [from.shape, to.shape]
  const rows = {
    from: unitRows(await kernels.readF32(from), n, d),
    to: unitRows(await kernels.readF32(to), m, d),
  }
  return nearest(kernels, { ...rows, d, k: Math.min(k, m), itself: true }, context)
}

/** Unit directions from [n, D] and to [m, D]; `itself`: whether the direction in the same row counts. */
interface Search {
  from: Float32Array
  to: Float32Array
  d: number
  k: number
  itself: boolean
}

/**
 * No [n, m] matrix is held: unit directions encode one another with a TopK activation, whose kernel keeps only the
 * largest products of a row. A bias of 2 makes every product positive, so that directions that point away are ranked too. What
 * is found is computed again in double precision, and ordered by that.
 */
async function nearest(kernels: Kernels, search: Search, context: StageContext): Promise<Neighbours> {
  const { from, d, k, itself } = search
  const n = from.length / d
  if (k < 1) return { k: 0, rows: new Int32Array(0), cosines: new Float32Array(0) }
  const found: Neighbours = { k, rows: new Int32Array(n * k), cosines: new Float32Array(n * k) }
  const encoder = createEncoder(kernels, search.to, d, itself ? k : k + 1)
  const task = context.progress.start('find nearest features', n, 'features')
  const { ranks = singleRank } = context
  const blocks = Math.ceil(n / blockRows)
  const compute = async (block: number): Promise<Codes> => {
    throwIfInterrupted(context.signal)
    return encoder.nearest(from.subarray(block * blockRows * d, (block + 1) * blockRows * d))
  }
  let done = 0
  try {
    for await (const codes of inOrder(ranks, blocks, compute, 'every')) {
      const { rowOffsets, featureIds } = codes
      for (let i = 0; i + 1 < rowOffsets.length; i++)
        keepNearest(found, search, done++, featureIds.subarray(rowOffsets[i], rowOffsets[i + 1]))
      task.update(done)
    }
  } finally {
    encoder.free()
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

/** The largest products of some directions with all of `to`, by the TopK encoder. */
function createEncoder(kernels: Kernels, to: Float32Array, d: number, k: number) {
  const n = to.length / d
  const unit = kernels.tensor(to, [n, d])
  const bias = kernels.tensor(new Float32Array(n).fill(2), [n])
  const zeros = kernels.zeros([d])
  const params: SaeTensors = { wEnc: unit, bEnc: bias, wDec: unit, bDec: zeros }
  const packed = kernels.saePack(unit, 'fp32', null)
  const form = { activation: { kind: 'topk', k }, subtractDecoderBias: false } as const
  return {
    nearest: (rows: Float32Array) => {
      const x = kernels.tensor(rows, [rows.length / d, d])
      const codes = kernels.saeEncode(params, x, form, packed)
      kernels.free(x)
      return codes
    },
    free: () => {
      kernels.saeFreePacked(packed)
      for (const tensor of [unit, bias, zeros]) kernels.free(tensor)
    },
  }
}

function keepNearest(
  found: Neighbours,
  { from, to, d, itself }: Search,
  row: number,
  candidates: Int32Array,
): void {
  const own = from.subarray(row * d, (row + 1) * d)
  const nearest = Array.from(candidates)
    .filter((other) => itself || other !== row)
    .map((other) => ({ other, cosine: dot(own, to.subarray(other * d, (other + 1) * d)) }))
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
