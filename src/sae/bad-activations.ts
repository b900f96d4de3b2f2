import { MonosemError } from '../errors/monosem-error.js'
import type { ActivationSource } from './activation-source.js'

/** Rows of x [n, d] that hold NaN or infinity, ascending. */
export function badRowsOf(x: Float32Array, d: number): number[] {
  const bad: number[] = []
  for (let i = 0; i < x.length; i++)
    if (!Number.isFinite(x[i])) {
      const row = Math.floor(i / d)
      bad.push(row)
      i = (row + 1) * d - 1
    }
  return bad
}

/** The error for a row with NaN or infinity: says where it came from, as far as the source knows. */
export async function badActivation(
  source: ActivationSource,
  place: { batch: number; row: number; batchSize: number },
): Promise<MonosemError> {
  const origin = await source.locate?.(place)
  return new MonosemError(
    'diverged',
    `sae: expected finite activations, got NaN or infinity in row ${place.row} of batch ${place.batch}${origin ? ` (${origin})` : ''}`,
    {
      hint: 'check the model that produces the activations; --bad-activations skip leaves such rows out; the last checkpoint is kept',
    },
  )
}
