import type { Tensor } from '../kernels/kernels.js'

/** What a transcoder trains on: inputs and targets of the same tokens. */
export interface ActivationPair {
  /** [batchSize, D] f32 */
  x: Tensor
  /** [batchSize, Dout] f32 */
  y: Tensor
}

/** What an autoencoder trains on. It may come from a running model, from disk, or from a known dictionary. */
export interface ActivationSource {
  /** width D of the activations */
  readonly d: number
  /** width of the targets of a transcoder; a source without it gives batches for autoencoders */
  readonly dOut?: number
  /** facts about where the activations come from, kept in the `metadata` of the saved autoencoder */
  readonly metadata?: Record<string, string | number | boolean | null>
  /**
   * Endless and deterministic: the same options give the same batches, and `skip` batches are left out at the start.
   * Each tensor is [batchSize, D] f32 and may be read by operations enqueued before the next iteration.
   */
  batches(options: { batchSize: number; skip: number }): AsyncIterable<Tensor | ActivationPair>
  /**
   * Where a row of a batch (both 0-based, counted from the very first batch) comes from, for messages about bad activations: e.g.
   * "token 17 of document 4" or "row 90 of shard 2".
   */
  locate?(place: { batch: number; row: number; batchSize: number }): string | Promise<string>
}
