import { MonosemError } from '../errors/monosem-error.js'
import type { Sae } from '../sae/sae.js'

/**
 * Checks that autoencoders can be compared as sizes of one dictionary.
 * @param sorted by number of features
 * @throws MonosemError config (fewer than two, two of one size, or other hook points), shape (another width)
 */
export function requireGrowingSizes(sorted: readonly { sae: Sae; directory: string }[]): void {
  if (sorted.length < 2)
    throw new MonosemError(
      'config',
      `compare splitting: expected at least two autoencoders of growing size, got ${sorted.length}`,
      { hint: 'train more with --sizes 512,1024,4096, or name their directories' },
    )
  const [first] = sorted
  for (const [i, { sae, directory }] of sorted.entries()) {
    for (const field of ['hookName', 'targetHookName'] as const)
      if (sae[field] !== first.sae[field])
        throw new MonosemError(
          'config',
          `compare splitting: expected autoencoders of one hook point, got ${first.sae[field]} in ${first.directory} and ${sae[field]} in ${directory}`,
          { hint: 'decoder rows of other activations have nothing to do with one another' },
        )
    if (sae.d !== first.sae.d || sae.dOut !== first.sae.dOut)
      throw new MonosemError(
        'shape',
        `compare splitting: expected activations of width ${first.sae.d} as in ${first.directory}, got ${sae.d} in ${directory}`,
        { hint: 'were they trained on the same model?' },
      )
    if (i > 0 && sae.features === sorted[i - 1].sae.features)
      throw new MonosemError(
        'config',
        `compare splitting: expected autoencoders of growing size, got ${sae.features} features in both ${sorted[i - 1].directory} and ${directory}`,
        { hint: 'leave one of them out' },
      )
  }
}
