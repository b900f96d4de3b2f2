import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { ActivationSource } from '../sae/activation-source.js'

/** Mean and covariance of activations. */
export interface ActivationMoments {
  /** activations that they were taken from */
  tokens: number
  /** [D] */
  mean: Float64Array
  /** [D, D] over n, not n - 1 */
  covariance: Float64Array
}

export interface MomentsOptions {
  /** activations to read, rounded up to whole batches */
  tokens: number
  batchSize: number
}

/**
 * Mean and covariance of the first activations of a source, one batch at a time. Products of a batch are summed by the kernels in fp32 about the
 * mean of the first batch, so that a large common offset costs no precision; batches are summed in double precision.
 * @throws MonosemError diverged (NaN or infinite activations), interrupted
 */
export async function activationMoments(
  kernels: Kernels,
  source: ActivationSource,
  { tokens, batchSize }: MomentsOptions,
  context: StageContext,
): Promise<ActivationMoments> {
  const { d } = source
  const count = Math.ceil(tokens / batchSize)
  const buffers: Buffers = {
    centred: kernels.zeros([batchSize, d]),
    shift: kernels.zeros([d]),
    sum: kernels.zeros([d]),
    products: kernels.zeros([d, d]),
  }
  const sums: Sums = {
    offset: new Float64Array(d),
    sum: new Float64Array(d),
    products: new Float64Array(d * d),
  }
  const task = context.progress.start('covariance', count * batchSize, 'tokens')
  let batches = 0
  try {
    for await (const batch of source.batches({ batchSize, skip: 0 })) {
      throwIfInterrupted(context.signal)
      const x = 'x' in batch ? batch.x : batch
      if (batches === 0) await centreOn(kernels, buffers, sums, x)
      await addBatch(kernels, buffers, sums, x)
      task.update(++batches * batchSize)
      if (batches === count) break
    }
  } finally {
    for (const tensor of Object.values(buffers)) kernels.free(tensor)
  }
  task.end()
  return momentsOf(sums, batches * batchSize)
}

interface Buffers {
  /** [batchSize, D] */
  centred: Tensor
  /** [D] what is added to every activation */
  shift: Tensor
  /** [D] */
  sum: Tensor
  /** [D, D] */
  products: Tensor
}

/** About the offset [D]. */
interface Sums {
  offset: Float64Array
  sum: Float64Array
  products: Float64Array
}

/** Takes the mean of a batch as the offset. */
async function centreOn(kernels: Kernels, { shift, sum }: Buffers, sums: Sums, x: Tensor): Promise<void> {
  kernels.columnSums(sum, x)
  const total = await kernels.readF32(sum)
  const negative = total.map((value) => -value / x.shape[0])
  kernels.write(shift, negative)
  sums.offset = Float64Array.from(negative, (value) => -value)
}

async function addBatch(kernels: Kernels, buffers: Buffers, sums: Sums, x: Tensor): Promise<void> {
  const { centred, shift, sum, products } = buffers
  kernels.broadcastRow(centred, shift)
  kernels.addInPlace(centred, x)
  kernels.columnSums(sum, centred)
  kernels.fill(products, 0)
  // the gradient of a linear layer by its weights is X^T Y
  kernels.linearBackward(null, products, null, centred, centred, products)
  const [batchSum, batchProducts] = await Promise.all([kernels.readF32(sum), kernels.readF32(products)])
  if (!batchSum.every(Number.isFinite))
    throw new MonosemError('diverged', 'covariance: expected finite activations, got NaN or infinity', {
      hint: 'check the weights of the model: monosem model info',
    })
  for (let i = 0; i < batchSum.length; i++) sums.sum[i] += batchSum[i]
  for (let i = 0; i < batchProducts.length; i++) sums.products[i] += batchProducts[i]
}

function momentsOf({ offset, sum, products }: Sums, tokens: number): ActivationMoments {
  const d = offset.length
  const shifted = sum.map((value) => value / tokens)
  const covariance = products.map((value, i) => value / tokens - shifted[Math.floor(i / d)] * shifted[i % d])
  return { tokens, mean: offset.map((value, i) => value + shifted[i]), covariance }
}
