import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import { assignInWorker } from './assign-in-worker.js'

/** How the F latents of an autoencoder and the G true features belong together, by the absolute cosines of their directions. */
export interface FeatureMatch {
  /** [F] the true feature that is nearest to each latent, which it is taken to detect; several latents may share one */
  nearest: Int32Array
  /** [F] absolute cosine with it */
  nearestCosine: Float32Array
  /** [F] the true feature of each latent in the one-to-one matching of largest total absolute cosine; -1 for none, where F > G */
  matched: Int32Array
  /** mean absolute cosine of the min(F, G) matched pairs: the mean correlation coefficient, MCC */
  mcc: number
  /** share of the F latents that remains when of those with the same nearest feature only one is counted */
  uniqueness: number
}

/** Rows of cosines that are computed at a time. */
const blockRows = 512

/**
 * Matches decoder rows with true features. `docs/metrics.md` defines the figures; Chanin & Garriga-Alonso 2026 (https://arxiv.org/abs/2602.14687),
 * section 3.
 * Rows of both may have any length; a row of zeros has a cosine of 0 with everything.
 * @param decoder [F, D]
 * @param directions [G, D]
 * @throws MonosemError shape (other widths), diverged (NaN), interrupted
 */
export async function matchFeatures(
  kernels: Kernels,
  decoder: Tensor,
  directions: Tensor,
  signal?: AbortSignal,
): Promise<FeatureMatch> {
  const [latents, d] = decoder.shape
  const [features, width] = directions.shape
  if (d !== width)
    throw new MonosemError('shape', `synth: expected decoder directions of width ${width}, got ${d}`, {
      hint: 'the autoencoder was trained on other activations than those of this feature model',
    })
  const cosines = await absoluteCosines(kernels, decoder, directions)
  const nearest = new Int32Array(latents)
  const nearestCosine = new Float32Array(latents)
  for (let i = 0; i < latents; i++) {
    const row = cosines.subarray(i * features, (i + 1) * features)
    nearest[i] = indexOfLargest(row)
    nearestCosine[i] = row[nearest[i]]
  }
  const { columnOf, total } = await assignInWorker(
    { similarity: cosines, rows: latents, columns: features },
    signal,
  )
  return {
    nearest,
    nearestCosine,
    matched: columnOf,
    mcc: total / Math.min(latents, features),
    uniqueness: new Set(nearest).size / latents,
  }
}

/** [F, G] |cos| of every pair, a block of rows at a time. */
async function absoluteCosines(
  kernels: Kernels,
  decoder: Tensor,
  directions: Tensor,
): Promise<Float32Array<ArrayBuffer>> {
  const [latents, features] = [decoder.shape[0], directions.shape[0]]
  const cosines = new Float32Array(latents * features)
  const [latentScales, featureScales] = await Promise.all([
    inverseLengths(kernels, decoder, 'latent'),
    inverseLengths(kernels, directions, 'true feature'),
  ])
  for (let start = 0; start < latents; start += blockRows) {
    const count = Math.min(blockRows, latents - start)
    const products = kernels.zeros([count, features])
    kernels.linearTransposedForward(products, kernels.rows(decoder, start, count), directions)
    const block = cosines.subarray(start * features, (start + count) * features)
    await kernels.readF32(products, block)
    kernels.free(products)
    for (let i = 0; i < count; i++)
      for (let j = 0; j < features; j++)
        block[i * features + j] = Math.abs(
          block[i * features + j] * latentScales[start + i] * featureScales[j],
        )
  }
  return cosines
}

/** 1 / L2 norm of each row; 0 for a row of zeros. @param what a row is, for messages */
async function inverseLengths(kernels: Kernels, x: Tensor, what: string): Promise<Float64Array> {
  const [rows, d] = x.shape
  const data = await kernels.readF32(x)
  return Float64Array.from({ length: rows }, (_, i) => {
    let sum = 0
    for (let c = i * d; c < (i + 1) * d; c++) sum += data[c] ** 2
    if (!Number.isFinite(sum))
      throw new MonosemError(
        'diverged',
        `synth: expected finite directions, got NaN or infinity in ${what} ${i}`,
        {
          hint: 'did the training diverge? lower the learning rate',
        },
      )
    return sum > 0 ? 1 / Math.sqrt(sum) : 0
  })
}

function indexOfLargest(values: Float32Array): number {
  let at = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[at]) at = i
  return at
}
