import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels } from '../kernels/kernels.js'
import { badRowsOf } from './bad-activations.js'
import type { ActivationScales, Batch } from './batch-stream.js'
import { geometricMedian } from './geometric-median.js'
import { rowNorm } from './sae-params.js'

/** What the first activations tell before training starts. x and y are inputs and targets, scaled; y is x but for transcoders. */
export interface InitialStatistics {
  /** D, Dout */
  d: number
  dOut: number
  /** sqrt(D) / mean ||x||, and the same of y: bring activations to a mean norm of sqrt(D), so that lambda and learning rate carry over */
  scales: ActivationScales
  /** [D] mean of x */
  mean: Float32Array
  /** mean ||x - mean x||^2 */
  inputVariance: number
  /** [Dout] geometric median of y */
  median: Float32Array
  /** mean ||y - mean y||^2: what explained variance is measured against while training */
  variance: number
  /** [D] for int8, see `smoothingOf` */
  smoothing: Float32Array
  /** rows that were left out because they hold NaN or infinity */
  skippedRows: number
}

/**
 * Describes unscaled batches.
 * @param refuse makes the error for the first row with NaN or infinity; without it such rows are left out
 * @throws MonosemError config (all activations are zero, or none is finite)
 */
export async function initialStatistics(
  kernels: Kernels,
  batches: AsyncIterable<Batch>,
  refuse?: (batch: number, row: number) => Promise<MonosemError>,
): Promise<InitialStatistics> {
  const inputs: Float32Array[] = []
  const targets: Float32Array[] = []
  let skippedRows = 0
  let [d, dOut] = [0, 0]
  let same = true
  for await (const { x, y, index } of batches) {
    d = x.shape[1]
    dOut = y.shape[1]
    same = x === y
    const rows = await kernels.readF32(x)
    const rowsOut = same ? rows : await kernels.readF32(y)
    const bad = new Set([...badRowsOf(rows, d), ...badRowsOf(rowsOut, dOut)])
    if (refuse && bad.size > 0) throw await refuse(index, Math.min(...bad))
    skippedRows += bad.size
    inputs.push(without(rows, d, bad))
    if (!same) targets.push(without(rowsOut, dOut, bad))
  }
  const input = joined(inputs)
  const target = same ? input : joined(targets)
  const scales = { input: scaleOf(input, d), target: scaleOf(target, dOut) }
  scale(input, scales.input)
  if (!same) scale(target, scales.target)
  const { mean, variance: inputVariance } = momentsOf(input, d)
  return {
    d,
    dOut,
    scales,
    mean,
    inputVariance,
    median: geometricMedian(target, dOut),
    variance: same ? inputVariance : momentsOf(target, dOut).variance,
    smoothing: smoothingOf(input, d),
    skippedRows,
  }
}

function without(rows: Float32Array, d: number, bad: Set<number>): Float32Array {
  return bad.size === 0 ? rows : rows.filter((_, i) => !bad.has(Math.floor(i / d)))
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all
}

function scale(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i] *= factor
}

function scaleOf(sample: Float32Array, d: number): number {
  let norms = 0
  for (let start = 0; start < sample.length; start += d) norms += rowNorm(sample.subarray(start, start + d))
  if (norms === 0)
    throw new MonosemError(
      'config',
      `sae: ${sample.length === 0 ? 'no activation of the sample is finite' : 'every activation is zero'}`,
      { hint: 'choose another hook point, or check that the model is trained' },
    )
  return Math.sqrt(d) / (norms / (sample.length / d))
}

/** The mean, and mean ||x - mean x||^2 = mean ||x||^2 - ||mean x||^2, in double precision. */
function momentsOf(sample: Float32Array, d: number): { mean: Float32Array; variance: number } {
  const rows = sample.length / d
  const sums = new Float64Array(d)
  let squares = 0
  for (let i = 0; i < sample.length; i++) {
    sums[i % d] += sample[i]
    squares += sample[i] * sample[i]
  }
  return {
    mean: Float32Array.from(sums, (sum) => sum / rows),
    variance: squares / rows - sums.reduce((total, sum) => total + (sum / rows) ** 2, 0),
  }
}

/**
 * What int8 divides each dimension by (and multiplies its weights with), so that a few large dimensions do not use up the 8 bits:
 * sqrt(largest |x_d| / the median of that over dimensions), at least 1. Half of the difference is left to the weights
 * (Xiao et al. 2023, "SmoothQuant", eq. 4 with alpha 1/2).
 */
function smoothingOf(sample: Float32Array, d: number): Float32Array {
  const largest = new Float32Array(d)
  for (let i = 0; i < sample.length; i++) largest[i % d] = Math.max(largest[i % d], Math.abs(sample[i]))
  const median = largest.slice().sort()[d >> 1]
  return largest.map((value) => (median > 0 ? Math.max(1, Math.sqrt(value / median)) : 1))
}
