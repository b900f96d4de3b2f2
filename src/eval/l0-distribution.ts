import { type Histogram, type Quantiles, quantilesOf } from './histogram.js'

/**
 * Quantiles of the number of active features per token.
 * @param counts [F + 1] tokens with exactly that many active features
 */
export function l0Distribution(counts: ArrayLike<number>): Quantiles {
  const cumulative = Float64Array.from(counts)
  for (let i = 1; i < cumulative.length; i++) cumulative[i] += cumulative[i - 1]
  const tokens = cumulative[cumulative.length - 1]
  return quantilesOf((share) =>
    Math.max(
      0,
      cumulative.findIndex((below) => below > 0 && below >= share * tokens),
    ),
  )
}

const mostBins = 50

/**
 * Tokens by their number of active features, in at most 50 equally wide bins from 0 to the largest; bin i holds
 * edges[i] .. edges[i + 1] - 1.
 * @param counts [F + 1] tokens with exactly that many active features
 */
export function l0Histogram(counts: ArrayLike<number>): Histogram {
  const largest = Array.from(counts).findLastIndex((count) => count > 0)
  const width = Math.max(1, Math.ceil((largest + 1) / mostBins))
  const bins = Math.ceil((largest + 1) / width)
  const found = new Array<number>(bins).fill(0)
  for (let l0 = 0; l0 <= largest; l0++) found[Math.floor(l0 / width)] += counts[l0]
  return { edges: Array.from({ length: bins + 1 }, (_, i) => i * width), counts: found }
}
