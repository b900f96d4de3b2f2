import { MonosemError } from '../errors/monosem-error.js'

/** @throws MonosemError config: the shuffle buffer cannot hold one batch */
export function requireRoomForBatch(bufferTokens: number, batchSize: number): void {
  if (bufferTokens < batchSize)
    throw new MonosemError(
      'config',
      `activations: expected a buffer of at least one batch of ${batchSize}, got ${bufferTokens}`,
      { hint: 'raise --buffer-tokens or lower --batch-size' },
    )
}
