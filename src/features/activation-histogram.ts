/** Bins of a feature's activation histogram. */
export const histogramBins = 64

/**
 * One histogram per feature in one pass, although no maximum is known in advance: linear bins over (0,
 * range], where range is a power of two. A larger activation doubles the range, and neighbouring bins become
 * one. So at the end the maximum lies in the upper half of the range, and at least half of the bins are in
 * use.
 */
export interface ActivationHistograms {
  /** [F] upper end of the last bin; 0 while nothing has fired */
  range: Float64Array
  /** [F, bins] */
  counts: Uint32Array
}

/** @param bins an even number; default `histogramBins` */
export function createHistograms(features: number, bins = histogramBins): ActivationHistograms {
  return { range: new Float64Array(features), counts: new Uint32Array(features * bins) }
}

/** Bin of an activation in (0, range]; bin i covers (i, i + 1] * range / bins. */
export function binOf(range: number, activation: number, bins = histogramBins): number {
  return Math.max(0, Math.ceil((activation / range) * bins) - 1)
}

/**
 * How often the range of a feature has to double to hold an activation; a feature's first activation sets the
 * range.
 */
export function doublingsFor(histograms: ActivationHistograms, feature: number, activation: number): number {
  if (histograms.range[feature] === 0) {
    histograms.range[feature] = 2 ** Math.ceil(Math.log2(activation))
    // log2 may round down for values just above a power of two
    if (histograms.range[feature] < activation) histograms.range[feature] *= 2
    return 0
  }
  let doublings = 0
  for (let range = histograms.range[feature]; range < activation; range *= 2) doublings++
  return doublings
}

/** Doubles the range of one feature: each pair of bins becomes one. */
export function doubleRange(histograms: ActivationHistograms, feature: number): void {
  const { counts, range } = histograms
  const bins = counts.length / range.length
  const base = feature * bins
  for (let i = 0; i < bins; i++)
    counts[base + i] = i < bins / 2 ? counts[base + 2 * i] + counts[base + 2 * i + 1] : 0
  range[feature] *= 2
}
