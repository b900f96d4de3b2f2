import type { Kernels, Tensor } from '../../src/kernels/kernels.js'
import { Random } from '../../src/random/random.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { fillUnitRows, rowNorm } from '../../src/sae/sae-params.js'

export interface SyntheticOptions {
  d: number
  features: number
  /** probability that a feature is active */
  density: number
  seed: number
  /** added to every activation */
  bias?: number
  /** changes a batch before it is given out, for tests of bad data */
  spoil?: (batch: Float32Array, index: number) => void
}

/** Activations made from a known dictionary: sparse sums of unit directions with uniform strengths in [1, 3]. */
export function syntheticSource(
  kernels: Kernels,
  options: SyntheticOptions,
): ActivationSource & { dictionary: Float32Array } {
  const { d, features, density, seed, bias = 0 } = options
  const dictionary = new Float32Array(features * d)
  const random = Random.named(seed, 'dictionary')
  fillUnitRows(dictionary, d, () => random.normal())
  return {
    d,
    dictionary,
    async *batches({ batchSize, skip }): AsyncGenerator<Tensor> {
      for (let index = skip; ; index++) {
        const batch = new Float32Array(batchSize * d).fill(bias)
        const draw = Random.named(seed, `batch ${index}`)
        for (let n = 0; n < batchSize; n++)
          for (let j = 0; j < features; j++) {
            if (draw.uniform() >= density) continue
            const strength = 1 + 2 * draw.uniform()
            for (let c = 0; c < d; c++) batch[n * d + c] += strength * dictionary[j * d + c]
          }
        options.spoil?.(batch, index)
        yield kernels.tensor(batch, [batchSize, d])
      }
    },
  }
}

/**
 * Inputs as above, and targets that are another dictionary's sums for the same features plus a linear function of the input: what a
 * transcoder is for.
 */
export function syntheticPairs(
  kernels: Kernels,
  options: SyntheticOptions & { dOut: number; linear: number },
): ActivationSource & { dictionary: Float32Array; targets: Float32Array } {
  const { d, dOut, features, density, seed, linear } = options
  const random = Random.named(seed, 'pairs')
  const [dictionary, targets] = [new Float32Array(features * d), new Float32Array(features * dOut)]
  fillUnitRows(dictionary, d, () => random.normal())
  fillUnitRows(targets, dOut, () => random.normal())
  return {
    d,
    dOut,
    dictionary,
    targets,
    async *batches({ batchSize, skip }) {
      for (let index = skip; ; index++) {
        const [x, y] = [new Float32Array(batchSize * d), new Float32Array(batchSize * dOut)]
        const draw = Random.named(seed, `batch ${index}`)
        for (let n = 0; n < batchSize; n++) {
          for (let j = 0; j < features; j++) {
            if (draw.uniform() >= density) continue
            const strength = 1 + 2 * draw.uniform()
            for (let c = 0; c < d; c++) x[n * d + c] += strength * dictionary[j * d + c]
            for (let c = 0; c < dOut; c++) y[n * dOut + c] += 10 * strength * targets[j * dOut + c]
          }
          for (let c = 0; c < dOut; c++) y[n * dOut + c] += linear * x[n * d + (c % d)]
        }
        options.spoil?.(y, index)
        yield { x: kernels.tensor(x, [batchSize, d]), y: kernels.tensor(y, [batchSize, dOut]) }
      }
    },
  }
}

/** Mean over the rows of `truth` of the largest cosine with any row of `found`. */
export function meanMaxCosine(truth: Float32Array, found: Float32Array, d: number): number {
  let sum = 0
  for (let i = 0; i < truth.length; i += d) {
    const a = truth.subarray(i, i + d)
    let best = -1
    for (let j = 0; j < found.length; j += d) {
      const b = found.subarray(j, j + d)
      const dot = a.reduce((total, value, c) => total + value * b[c], 0)
      best = Math.max(best, dot / (rowNorm(a) * rowNorm(b) || 1))
    }
    sum += best
  }
  return sum / (truth.length / d)
}
