import type { SaePrecision } from '../kernels/kernels.js'

/** How many operations of each number format a processor does in the time of one in fp32. */
const SPEEDUP: Record<SaePrecision, number> = { fp32: 1, bf16: 2, int8: 4 }

/**
 * How near a training step is to the limit: the time that encoding alone (2 N D F operations) would need at the processor's peak, as a
 * share of the time that the whole step took.
 * @param peak fp32 operations per second, see `Kernels.measurePeak`
 */
export function fractionOfPeak(
  shape: { n: number; d: number; f: number },
  { ms, precision, peak }: { ms: number; precision: SaePrecision; peak: number },
): number {
  return (2 * shape.n * shape.d * shape.f * 1000) / (peak * SPEEDUP[precision] * ms)
}
