import type { Codes, Kernels, SampleRange, Tensor } from '../kernels/kernels.js'
import { normalQuantile } from '../kernels/normal-quantile.js'
import { LOADING_BITS } from '../kernels/synthetic-kernels.js'
import type { FeatureModel } from './feature-model.js'

/** Draws samples of a world. Sample i of a seed is the same in any batch, on any number of threads. */
export interface Sampler {
  readonly d: number
  /** x[n] = activation of sample offset + n. x [N, D]; only enqueued */
  fill(x: Tensor, range: SampleRange): void
  /** The same; resolves to the true features that are active, with their magnitudes. */
  sample(x: Tensor, range: SampleRange): Promise<Codes>
  /** Gives the memory back; samples that were enqueued before are still drawn. */
  free(): void
}

export function createSampler(kernels: Kernels, model: FeatureModel): Sampler {
  const { features: g, d, children, loadings, magnitudeMeans, magnitudeStds, config } = model
  const directions = kernels.zeros([g, d], 'bf16') // as the model's are rounded
  kernels.write(directions, model.directions)
  const bias = kernels.tensor(model.bias, [d])
  const childOffsets = new Int32Array(g + 1)
  children.forEach((ids, j) => {
    childOffsets[j + 1] = childOffsets[j] + ids.length
  })
  const generator = kernels.syntheticCreate({
    directions,
    bias,
    childOffsets,
    childIds: Int32Array.from(children.flat()),
    loadings,
    residuals: residuals(model),
    thresholds: model.drawnProbabilities.map((p) => -normalQuantile(p)),
    magnitudeMeans,
    magnitudeStds,
    exclusive: config.exclusiveSiblings,
    scaled: config.scaleByParent,
  })
  return {
    d,
    fill: (x, range) => kernels.syntheticFill(x, generator, range),
    sample: (x, range) => kernels.syntheticSample(x, generator, range),
    free() {
      kernels.free(directions)
      kernels.free(bias)
    },
  }
}

/** [G] standard deviation of what is a feature's own, so that with its loadings its variance is 1 */
function residuals({ features: g, loadings }: FeatureModel): Float64Array {
  const rank = loadings.length / g
  return Float64Array.from({ length: g }, (_, j) => {
    const row = loadings.subarray(j * rank, (j + 1) * rank)
    return Math.sqrt(1 - row.reduce((sum, value) => sum + (value * 2 ** -LOADING_BITS) ** 2, 0))
  })
}
