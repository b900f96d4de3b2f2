import type { Tensor } from '../kernels/kernels.js'
import type { ModelConfig } from './model-config.js'
import { type Transformer, zerosLikeParameters } from './transformer.js'

/** AdamW over all parameters of a model: gradients, moments, clipping. Owns its tensors. */
export interface Optimizer {
  /** by parameter name; the backward pass adds to them */
  gradients: Record<string, Tensor>
  firstMoments: Record<string, Tensor>
  secondMoments: Record<string, Tensor>
  zeroGradients(): void
  /**
   * Enqueues clipping and one update of every parameter.
   * @param step 1-based
   * @returns [2]: the gradient's L2 norm before clipping, and the factor that clipped it
   */
  update(step: number, learningRate: number): Tensor
  free(): void
}

const ADAM_EPSILON = 1e-8

/** An optimizer with zero moments. Weight decay applies to matrices, not to biases and LayerNorms. */
export function createOptimizer(
  model: Transformer,
  config: Pick<ModelConfig, 'beta1' | 'beta2' | 'weightDecay' | 'gradientClip'>,
): Optimizer {
  const { kernels, params } = model
  const gradients = zerosLikeParameters(model)
  const firstMoments = zerosLikeParameters(model)
  const secondMoments = zerosLikeParameters(model)
  const clip = kernels.zeros([2])
  const { beta1, beta2 } = config
  return {
    gradients,
    firstMoments,
    secondMoments,
    zeroGradients() {
      for (const g of Object.values(gradients)) kernels.fill(g, 0)
    },
    update(step, learningRate) {
      kernels.clipNorm(clip, Object.values(gradients), config.gradientClip)
      for (const [name, p] of Object.entries(params)) {
        const weightDecay = p.shape.length > 1 ? config.weightDecay : 0
        const options = { learningRate, beta1, beta2, epsilon: ADAM_EPSILON, weightDecay, step }
        kernels.adam(p, gradients[name], firstMoments[name], secondMoments[name], options, clip)
      }
      return clip
    },
    free() {
      for (const tensors of [gradients, firstMoments, secondMoments])
        for (const t of Object.values(tensors)) kernels.free(t)
      kernels.free(clip)
    },
  }
}
