import type { Kernels, SaePacked, Tensor } from '../kernels/kernels.js'
import type { ResolvedSaeConfig } from './sae-config.js'

/**
 * Packs W_enc for encoding in the number format that was asked for; `precision` of the result says which was granted.
 * @param smoothing [D], see `InitialStatistics`; only int8 uses it
 */
export function packEncoder(
  kernels: Kernels,
  wEnc: Tensor,
  precision: ResolvedSaeConfig['precision'],
  smoothing: Tensor | null,
): SaePacked {
  const asked = precision === 'auto' ? 'fp32' : precision
  return kernels.saePack(wEnc, asked, asked === 'int8' ? smoothing : null)
}

/** A line for the user when another number format was granted than the one asked for; null when there is nothing to say. */
export function precisionNote(
  kernels: Kernels,
  asked: ResolvedSaeConfig['precision'],
  { precision }: SaePacked,
): string | null {
  return asked === 'auto' || asked === precision
    ? null
    : `precision ${asked} is not there with ${kernels.description}: encoding in ${precision}`
}
