import type { Kernels, Tensor } from '../../kernels/kernels.js'

/** Parameters of a toy model, or their gradients, or moments of them. */
export interface ToyTensors {
  /** [n, m] */
  w: Tensor
  /** [n] */
  b: Tensor
}

/** Memory for one batch of N samples. */
export interface ToyWorkspace {
  /** [N, n] the features of the batch */
  x: Tensor
  /** [N, n] 2 I_i / N in every row: the loss is a mean over samples */
  weights: Tensor
  /** [N, m] */
  h: Tensor
  /** [N, n] W^T h + b */
  pre: Tensor
  /** [N, n] x_hat - x */
  error: Tensor
  dPre: Tensor
  dH: Tensor
  scratch: Tensor
}

/** @param importance [n] */
export function toyWorkspace(
  kernels: Kernels,
  batchSize: number,
  dimensions: number,
  importance: Float32Array,
): ToyWorkspace {
  const wide = [batchSize, importance.length]
  const [x, weights, pre, error, dPre, scratch] = Array.from({ length: 6 }, () => kernels.zeros(wide))
  const [h, dH] = [kernels.zeros([batchSize, dimensions]), kernels.zeros([batchSize, dimensions])]
  const row = kernels.tensor(importance, [importance.length])
  kernels.broadcastRow(weights, row)
  kernels.scaleInPlace(weights, 2 / batchSize)
  kernels.free(row)
  return { x, weights, h, pre, error, dPre, dH, scratch }
}

/** error = ReLU(W^T W x + b) - x of the batch in `x`. Enqueues only. */
export function toyForward(kernels: Kernels, { w, b }: ToyTensors, workspace: ToyWorkspace): void {
  const { x, h, pre, error, scratch } = workspace
  kernels.linearForward(h, x, w, null)
  kernels.linearTransposedForward(pre, h, w)
  kernels.broadcastRow(scratch, b)
  kernels.addInPlace(pre, scratch)
  kernels.activationForward(scratch, pre, 'relu')
  kernels.copy(error, x)
  kernels.scaleInPlace(error, -1)
  kernels.addInPlace(error, scratch)
}

/**
 * Gradients of 1/N sum_n sum_i I_i (x_i - x_hat_i)^2, overwritten, after `toyForward`. With dpre_i = 2 I_i / N (x_hat_i - x_i) [pre_i > 0],
 * row i of dW is the sum over samples of dpre_i h (W as decoder) + x_i sum_j dpre_j W_j (W as encoder). Enqueues only.
 */
export function toyBackward(
  kernels: Kernels,
  { w }: ToyTensors,
  gradients: ToyTensors,
  { x, weights, h, pre, error, dPre, dH, scratch }: ToyWorkspace,
): void {
  // of a gated unit relu(gate) up with the weights as `up`, the gradient of the gate is dpre
  kernels.gatedBackward(dPre, scratch, error, pre, weights, 'relu')
  kernels.columnSums(gradients.b, dPre)
  kernels.fill(gradients.w, 0)
  kernels.linearTransposedBackward(dH, gradients.w, dPre, h, w)
  kernels.linearBackward(null, gradients.w, null, dH, x, w)
}

/** Gives memory back. */
export function freeTensors(kernels: Kernels, tensors: object): void {
  for (const tensor of Object.values(tensors)) kernels.free(tensor)
}
