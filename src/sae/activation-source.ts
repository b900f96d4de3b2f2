import type { Tensor } from '../kernels/kernels.js'

/** What an autoencoder trains on. It may come from a running model, from disk, or from a known dictionary. */
export interface ActivationSource {
  /** width D of the activations */
  readonly d: number
  /** facts about where the activations come from, kept in the `metadata` of the saved autoencoder */
  readonly metadata?: Record<string, string | number | boolean | null>
  /**
   * Endless and deterministic: the same options give the same batches, and `skip` batches are left out at the start.
   * Each tensor is [batchSize, D] f32 and may be read by operations enqueued before the next iteration.
   */
  batches(options: { batchSize: number; skip: number }): AsyncIterable<Tensor>
}
