import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { ActivationSource } from './activation-source.js'

/** Batches of a source, scaled and counted, so that a resumed run can go on where it was. */
export interface BatchStream {
  /** batches taken from the source since the run began */
  taken: number
  /** factor on every activation; 1 until it is known */
  scale: number
  /**
   * The next batch times `scale`, [batchSize, D]. Two buffers take turns: a batch stays readable until the call
   * after the next one enqueues its copy.
   */
  next(): Promise<Tensor>
  /** Ends the source's iterator and gives the buffers back. */
  close(): Promise<void>
}

/** @param taken batches to skip, because they were taken before the run was interrupted */
export function openBatchStream(
  kernels: Kernels,
  source: ActivationSource,
  batchSize: number,
  { taken = 0, scale = 1 }: { taken?: number; scale?: number } = {},
): BatchStream {
  const iterator = source.batches({ batchSize, skip: taken })[Symbol.asyncIterator]()
  const buffers = [kernels.zeros([batchSize, source.d]), kernels.zeros([batchSize, source.d])]
  return {
    taken,
    scale,
    async next() {
      const { value, done } = await iterator.next()
      if (done)
        throw new MonosemError('missing', `sae: the activation source ended after ${this.taken} batches`, {
          hint: 'a source must be endless: begin again when the data is used up',
        })
      const buffer = buffers[this.taken++ % 2]
      kernels.copy(buffer, value)
      if (this.scale !== 1) kernels.scaleInPlace(buffer, this.scale)
      return buffer
    },
    async close() {
      await iterator.return?.()
      for (const buffer of buffers) kernels.free(buffer)
    },
  }
}

/**
 * Refuses activations that are not finite, naming the first one.
 * @param x [n, d]
 * @throws MonosemError diverged
 */
export function requireFinite(x: Float32Array, d: number): void {
  const at = x.findIndex((value) => !Number.isFinite(value))
  if (at >= 0)
    throw new MonosemError(
      'diverged',
      `sae: activation ${at % d} of row ${Math.floor(at / d)} in a batch is ${x[at]}`,
      {
        hint: 'the model that produces the activations is at fault, not the autoencoder: check its training',
      },
    )
}
