import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels } from '../kernels/kernels.js'
import { type BatchStream, requireFinite } from './batch-stream.js'
import { geometricMedian } from './geometric-median.js'
import { rowNorm } from './sae-params.js'

/** What the first activations tell before training starts. */
export interface InitialStatistics {
  /** s = sqrt(D) / mean ||x||: brings activations to a mean norm of sqrt(D), so that lambda and learning rate carry over */
  scale: number
  /** [D] geometric median of s x */
  median: Float32Array
  /** mean ||s x - mean s x||^2: what explained variance is measured against while training */
  variance: number
}

/**
 * Takes at least `tokens` activations (whole batches) and describes them.
 * @throws MonosemError diverged (NaN or infinity), config (all activations are zero)
 */
export async function initialStatistics(
  kernels: Kernels,
  stream: BatchStream,
  d: number,
  tokens: number,
): Promise<InitialStatistics> {
  const parts: Float32Array[] = []
  for (let rows = 0; rows < tokens; rows += parts[parts.length - 1].length / d) {
    const batch = await kernels.readF32(await stream.next())
    requireFinite(batch, d)
    parts.push(batch)
  }
  const sample = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    sample.set(part, offset)
    offset += part.length
  }
  const scale = scaleOf(sample, d)
  for (let i = 0; i < sample.length; i++) sample[i] *= scale
  return { scale, median: geometricMedian(sample, d), variance: varianceOf(sample, d) }
}

function scaleOf(sample: Float32Array, d: number): number {
  let norms = 0
  for (let start = 0; start < sample.length; start += d) norms += rowNorm(sample.subarray(start, start + d))
  if (norms === 0)
    throw new MonosemError('config', 'sae: every activation is zero', {
      hint: 'choose another hook point, or check that the model is trained',
    })
  return Math.sqrt(d) / (norms / (sample.length / d))
}

/** mean over rows of ||x - mean x||^2 = mean ||x||^2 - ||mean x||^2, in double precision. */
function varianceOf(sample: Float32Array, d: number): number {
  const rows = sample.length / d
  const sums = new Float64Array(d)
  let squares = 0
  for (let i = 0; i < sample.length; i++) {
    sums[i % d] += sample[i]
    squares += sample[i] * sample[i]
  }
  return squares / rows - sums.reduce((total, sum) => total + (sum / rows) ** 2, 0)
}
