import type { Kernels, Tensor } from '../kernels/kernels.js'
import { Random } from '../random/random.js'
import type { FeatureModelConfig } from './feature-model-config.js'

type DirectionsConfig = Pick<
  FeatureModelConfig,
  'trueFeatures' | 'width' | 'orthogonalizationSteps' | 'orthogonalizationRate' | 'modelSeed'
>

/**
 * Unit vectors [G, D] in random directions, spread out by gradient descent with Adam on sum over i != j of (d_i . d_j)^2 (Chanin &
 * Garriga-Alonso 2026). That sum is ||V^T V||^2 up to norms, so a step costs two products of [G, D] with [D, D] instead of all G^2 pairs.
 * Rows are put back to unit norm after each step, where the published code has a penalty on norms and normalises at the end; in the end they are
 * rounded to bf16, which leaves norms within 0.002 of 1, so that sampling reads half as much memory.
 * The default is 10 steps at 10 times the published rate: the mean of the largest overlaps goes from 0.1485 to 0.1471; 20 steps at 5 times the rate end at 0.1472.
 */
export async function createDirections(
  kernels: Kernels,
  config: DirectionsConfig,
): Promise<Float32Array<ArrayBuffer>> {
  const { trueFeatures: g, width: d } = config
  const random = Random.named(config.modelSeed, 'directions')
  const start = Float32Array.from({ length: g * d }, () => random.normal())
  const directions = kernels.tensor(start, [g, d])
  const rounded = kernels.zeros([g, d], 'bf16')
  const owned = spread(kernels, directions, config)
  try {
    kernels.copy(rounded, directions)
    return (await kernels.readF32(rounded)) as Float32Array<ArrayBuffer>
  } finally {
    for (const t of [directions, rounded, ...owned]) kernels.free(t)
  }
}

/** Enqueues all steps. @returns the tensors that they use, for the caller to free */
function spread(kernels: Kernels, directions: Tensor, config: DirectionsConfig): Tensor[] {
  const { trueFeatures: g, width: d } = config
  const [moved, gradient, m, v] = [1, 2, 3, 4].map(() => kernels.zeros([g, d]))
  const rstd = kernels.zeros([g])
  const gram = kernels.zeros([d, d])
  // the norm of a row is sqrt(d) times its root mean square
  const unit = kernels.tensor(new Float32Array(d).fill(1 / Math.sqrt(d)), [d])
  const minusIdentity = kernels.tensor(
    Float32Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? -1 : 0)),
    [d, d],
  )
  const normalise = () => {
    kernels.copy(moved, directions)
    kernels.rmsNormForward(directions, rstd, moved, unit, 1e-30)
  }
  normalise()
  for (let step = 1; step <= config.orthogonalizationSteps; step++) {
    // sum over j != i of (d_i . d_j) d_j = d_i (V^T V - I)
    kernels.copy(gram, minusIdentity)
    kernels.linearBackward(null, gram, null, directions, directions, gram)
    kernels.linearForward(gradient, directions, gram, null)
    kernels.adam(
      directions,
      gradient,
      m,
      v,
      {
        learningRate: config.orthogonalizationRate,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0,
        step,
      },
      null,
    )
    normalise()
  }
  return [moved, gradient, m, v, rstd, gram, unit, minusIdentity]
}
