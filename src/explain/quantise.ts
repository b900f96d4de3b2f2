/** Largest quantised activation. */
export const quantisedMax = 9

/**
 * An activation as a digit (Bricken et al. 2023): 0 is not active, and 1 to 9 are nine equal parts of (0, max]. So an active token never
 * looks like an inactive one.
 * @param max the feature's largest activation; larger values count as it
 */
export function quantise(activation: number, max: number): number {
  if (!(activation > 0) || !(max > 0)) return 0
  return Math.min(quantisedMax, Math.max(1, Math.ceil((quantisedMax * activation) / max)))
}
