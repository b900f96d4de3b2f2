import { mean } from '../eval/mean.js'
import type { Codes, Tensor } from '../kernels/kernels.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import {
  addToVarianceSums,
  columnMeans,
  createVarianceSums,
  explainedVariance,
} from '../sae/explained-variance.js'
import { decode, encode, type SaeParts } from '../sae/sae.js'
import { createDetectionCounter, type Detection } from './detection.js'
import { type FeatureMatch, matchFeatures } from './match-features.js'

/** How much of a world's true features an autoencoder found. Each figure is defined in `docs/metrics.md`. */
export interface Recovery {
  /** held-out samples that the figures below `uniqueness` come from */
  samples: number
  /** mean absolute cosine of latents and true features, matched one to one */
  mcc: number
  /** share of the latents whose nearest true feature is that of no latent counted before */
  uniqueness: number
  /** means over all F latents, each as a detector of its nearest true feature; dead latents count as 0 */
  f1: number
  precision: number
  recall: number
  /** null where the samples do not vary */
  explainedVariance: number | null
  /** mean number of active latents per sample */
  l0: number
  /** mean number of active true features per sample */
  trueL0: number
  /** share of the latents that were never active on these samples */
  deadFraction: number
  /** mean of ||x_hat|| / ||x|| over the samples with ||x|| > 0; null where there are none */
  shrinkage: number | null
}

/** The same latent by latent. */
export interface LatentRecovery {
  match: FeatureMatch
  detection: Detection
}

/** A stream of samples with the true features that are active on each. */
export interface LabelledSamples {
  /** [G, D] directions of the true features */
  directions: Tensor
  /** Fills x [n, D] with samples offset .. offset + n - 1. @returns which true features are active on them */
  sample(x: Tensor, offset: number): Promise<Codes>
}

/**
 * Compares an autoencoder with the features that its activations were made from, on samples that it was not trained on.
 * @param sae any `SaeParts` that reads and reconstructs width D
 * @throws MonosemError shape (another width), diverged (NaN in the decoder), interrupted
 */
export async function measureRecovery(
  sae: SaeParts,
  truth: LabelledSamples,
  { samples, batchSize = 2048 }: { samples: number; batchSize?: number },
  { progress, signal }: StageContext,
): Promise<Recovery & { latents: LatentRecovery }> {
  const { kernels, params } = sae
  const [features, d] = truth.directions.shape
  const match = await matchFeatures(kernels, params.wDec, truth.directions, signal)
  const counter = createDetectionCounter(match.nearest, features)
  const variance = createVarianceSums(d)
  const norms = createNormRatio(d)
  const task = progress.start('compare with the true features', samples, 'samples')
  let centre: Float64Array | undefined
  let [active, trueActive] = [0, 0]
  for (let offset = 0; offset < samples; offset += batchSize) {
    throwIfInterrupted(signal)
    const n = Math.min(batchSize, samples - offset)
    const { x, xHat, codes, trueCodes } = await runBatch(sae, truth, offset, n)
    counter.add(codes, trueCodes)
    centre ??= columnMeans(x, d)
    addToVarianceSums(variance, x, squaredError(x, xHat), centre)
    norms.add(x, xHat)
    active += codes.values.length
    trueActive += trueCodes.values.length
    task.update(offset + n)
  }
  task.end()
  const detection = counter.result()
  return {
    samples,
    mcc: match.mcc,
    uniqueness: match.uniqueness,
    f1: mean(detection.f1),
    precision: mean(detection.precision),
    recall: mean(detection.recall),
    explainedVariance: explainedVariance(variance),
    l0: active / samples,
    trueL0: trueActive / samples,
    deadFraction: mean(detection.fired.map((count) => (count === 0 ? 1 : 0))),
    shrinkage: norms.result(),
    latents: { match, detection },
  }
}

/** One batch of samples, their true features, and what the autoencoder makes of them. */
async function runBatch(
  sae: SaeParts,
  truth: LabelledSamples,
  offset: number,
  n: number,
): Promise<{ x: Float32Array; xHat: Float32Array; codes: Codes; trueCodes: Codes }> {
  const { kernels } = sae
  const d = truth.directions.shape[1]
  const [x, xHat] = [kernels.zeros([n, d]), kernels.zeros([n, d])]
  try {
    const trueCodes = await truth.sample(x, offset)
    const codes = await encode(sae, x)
    decode(sae, xHat, codes, x)
    const [inputs, outputs] = await Promise.all([kernels.readF32(x), kernels.readF32(xHat)])
    return { x: inputs, xHat: outputs, codes, trueCodes }
  } finally {
    kernels.free(x)
    kernels.free(xHat)
  }
}

function squaredError(x: Float32Array, xHat: Float32Array): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += (x[i] - xHat[i]) ** 2
  return sum
}

/** Mean of ||x_hat|| / ||x||. */
function createNormRatio(d: number) {
  let [sum, count] = [0, 0]
  return {
    add(x: Float32Array, xHat: Float32Array): void {
      for (let start = 0; start < x.length; start += d) {
        let [square, squareHat] = [0, 0]
        for (let c = start; c < start + d; c++) {
          square += x[c] ** 2
          squareHat += xHat[c] ** 2
        }
        if (square === 0) continue
        sum += Math.sqrt(squareHat / square)
        count++
      }
    },
    result: (): number | null => (count > 0 ? sum / count : null),
  }
}
