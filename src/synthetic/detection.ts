import { MonosemError } from '../errors/monosem-error.js'
import type { Codes } from '../kernels/kernels.js'

/** How well latents detect the true features that they were taken for, each a yes-or-no question asked of every sample. */
export interface Detection {
  /** [F] share of the samples with the latent active on which its true feature was active; 0 for a latent that never was */
  precision: Float64Array
  /** [F] share of the samples with the true feature active on which the latent was; 0 where the feature never was */
  recall: Float64Array
  /** [F] harmonic mean of both; 0 where both are 0 */
  f1: Float64Array
  /** [F] samples on which the latent was active */
  fired: Float64Array
}

/** Counts hits over a stream of samples. */
export interface DetectionCounter {
  /** @throws MonosemError shape: not the codes of the same samples */
  add(latents: Codes, truth: Codes): void
  result(): Detection
}

/**
 * @param target [F] the true feature that each latent is taken to detect
 * @param features G, number of true features
 */
export function createDetectionCounter(target: Int32Array, features: number): DetectionCounter {
  const fired = new Float64Array(target.length)
  const hits = new Float64Array(target.length)
  const present = new Float64Array(features)
  /** [G] number of the last sample with the feature active, counted from 1 */
  const lastSeen = new Float64Array(features)
  let samples = 0
  return {
    add(latents, truth) {
      requireSameSamples(latents, truth)
      for (let n = 1; n < truth.rowOffsets.length; n++) {
        samples++
        for (let e = truth.rowOffsets[n - 1]; e < truth.rowOffsets[n]; e++) {
          present[truth.featureIds[e]]++
          lastSeen[truth.featureIds[e]] = samples
        }
        for (let e = latents.rowOffsets[n - 1]; e < latents.rowOffsets[n]; e++) {
          const latent = latents.featureIds[e]
          fired[latent]++
          if (lastSeen[target[latent]] === samples) hits[latent]++
        }
      }
    },
    result() {
      const precision = hits.map((hit, i) => ratio(hit, fired[i]))
      const recall = hits.map((hit, i) => ratio(hit, present[target[i]]))
      const f1 = hits.map((hit, i) => ratio(2 * hit, fired[i] + present[target[i]]))
      return { precision, recall, f1, fired }
    },
  }
}

const ratio = (a: number, b: number): number => (b > 0 ? a / b : 0)

function requireSameSamples(latents: Codes, truth: Codes): void {
  const [a, b] = [latents.rowOffsets.length - 1, truth.rowOffsets.length - 1]
  if (a !== b) throw new MonosemError('shape', `synth: expected the codes of ${b} samples, got those of ${a}`)
}
