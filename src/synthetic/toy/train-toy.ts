import { MonosemError } from '../../errors/monosem-error.js'
import type { AdamOptions, Kernels } from '../../kernels/kernels.js'
import { type StageContext, throwIfInterrupted } from '../../progress/progress.js'
import { Random } from '../../random/random.js'
import { cosineAtEnd } from '../../sae/schedule.js'
import { type FeatureDistribution, sampleFeatures } from './sample-features.js'
import { freeTensors, type ToyTensors, toyBackward, toyForward, toyWorkspace } from './toy-gradients.js'
import { startToyModel, type ToyModel } from './toy-model.js'

export interface ToyTraining {
  distribution: FeatureDistribution
  /** m */
  dimensions: number
  /** [n] I_i, weight of each feature's squared error */
  importance: Float32Array
  steps: number
  /** samples per step */
  batchSize: number
  /** of Adam at the first step; it falls along half a cosine to 0 */
  learningRate: number
  seed: number
}

/** A toy model and how well it brings its features back. */
export interface TrainedToy {
  model: ToyModel
  /** mean over new samples, at least 16,384, of sum_i I_i (x_i - x_hat_i)^2 */
  loss: number
}

/** Steps that may wait in the queue of the kernels, so that batches do not pile up in memory. */
const stepsAhead = 16
/** The loss is measured on the same samples for every seed. */
const heldOut = { stream: 'toy loss', seed: 0, index: 0 } as const
const lossSamples = (density: number): number => Math.max(16_384, Math.ceil(200 / density))

/**
 * Trains a toy model with Adam (Kingma & Ba 2015; beta 0.9, 0.999). The same options give the same model to the bit.
 * @throws MonosemError interrupted, diverged, config
 */
export async function trainToy(
  kernels: Kernels,
  training: ToyTraining,
  { signal }: Pick<StageContext, 'signal'> = {},
): Promise<TrainedToy> {
  const { distribution, dimensions, importance, steps, batchSize, seed } = training
  const { features } = distribution
  const start = startToyModel(features, dimensions, Random.named(seed, 'toy parameters'))
  const shapes = { w: [features, dimensions], b: [features] }
  const zeros = (): ToyTensors => ({ w: kernels.zeros(shapes.w), b: kernels.zeros(shapes.b) })
  const params = { w: kernels.tensor(start.w, shapes.w), b: kernels.tensor(start.b, shapes.b) }
  const [gradients, first, second] = [zeros(), zeros(), zeros()]
  const workspace = toyWorkspace(kernels, batchSize, dimensions, importance)
  try {
    for (let step = 0; step < steps; step++) {
      const batch = { stream: 'toy training', seed, index: step, batchSize } as const
      kernels.write(workspace.x, sampleFeatures(distribution, batch))
      toyForward(kernels, params, workspace)
      toyBackward(kernels, params, gradients, workspace)
      const adam = adamAt(step, training)
      for (const name of ['w', 'b'] as const)
        kernels.adam(params[name], gradients[name], first[name], second[name], adam, null)
      if (step % stepsAhead !== 0) continue
      await kernels.finish()
      throwIfInterrupted(signal)
    }
    const [w, b] = await Promise.all([kernels.readF32(params.w), kernels.readF32(params.b)])
    return withLoss({ features, dimensions, w, b }, training)
  } finally {
    for (const tensors of [params, gradients, first, second, workspace]) freeTensors(kernels, tensors)
  }
}

function adamAt(step: number, { steps, learningRate: peak }: ToyTraining): AdamOptions {
  const learningRate = peak * cosineAtEnd(step, steps, steps)
  return { learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, step: step + 1 }
}

function withLoss(model: ToyModel, { distribution, importance }: ToyTraining): TrainedToy {
  const samples = { ...heldOut, batchSize: lossSamples(distribution.density) }
  const loss = toyLoss(model, importance, sampleFeatures(distribution, samples))
  if (!Number.isFinite(loss))
    throw new MonosemError('diverged', `toy model: expected a finite loss after training, got ${loss}`, {
      hint: 'start again in another directory with a lower --toy-learning-rate',
    })
  return { model, loss }
}

/** Mean over samples of sum_i I_i (x_i - x_hat_i)^2, in double precision. @param x [N, n] */
export function toyLoss(
  { features, dimensions, w, b }: ToyModel,
  importance: Float32Array,
  x: Float32Array,
): number {
  const h = new Float64Array(dimensions)
  let sum = 0
  for (let start = 0; start < x.length; start += features) {
    h.fill(0)
    for (let i = 0; i < features; i++)
      if (x[start + i] !== 0)
        for (let c = 0; c < dimensions; c++) h[c] += x[start + i] * w[i * dimensions + c]
    for (let i = 0; i < features; i++) {
      let pre = b[i]
      for (let c = 0; c < dimensions; c++) pre += h[c] * w[i * dimensions + c]
      sum += importance[i] * (x[start + i] - Math.max(0, pre)) ** 2
    }
  }
  return sum / (x.length / features)
}
