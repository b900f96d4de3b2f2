/** Bins of a feature's activation histogram while it is collected. */
export const histogramBins = 256

/** Bins that are shown: each is some of the above. */
const shownBins = 64

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

/** The histogram of one feature in fewer bins, to be shown. [shownBins] */
export function shownHistogram({ counts }: ActivationHistograms, feature: number): Int32Array {
  const shown = new Int32Array(shownBins)
  for (let bin = 0; bin < histogramBins; bin++)
    shown[Math.floor((bin * shownBins) / histogramBins)] += counts[feature * histogramBins + bin]
  return shown
}

/** The quantiles that are kept of a feature's activations. */
export const quantileProbabilities = [0.25, 0.5, 0.75, 0.9, 0.99, 0.999] as const

/**
 * The activation that a share of a feature's fires does not exceed: interpolated within its bin, so wrong by less than one bin, which is
 * at most 1/128 of the maximum. Null for a feature that never fired.
 * @param probability 0 to 1
 */
export function quantile(
  { range, counts }: ActivationHistograms,
  feature: number,
  probability: number,
  { fires, max }: { fires: number; max: number },
): number | null {
  if (fires === 0) return null
  const wanted = probability * fires
  let below = 0
  for (let bin = 0; bin < histogramBins; bin++) {
    const count = counts[feature * histogramBins + bin]
    if (below + count >= wanted && count > 0)
      return Math.min(max, ((bin + (wanted - below) / count) * range[feature]) / histogramBins)
    below += count
  }
  return max
}
