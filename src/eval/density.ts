import type { Histogram } from './histogram.js'
import { denseDensity, ultraLowDensity, underpoweredDensities } from './power.js'

/** How often features fire, over one sample. Null stands for a count that the sample is too small for (power.ts). */
export interface DensityReport {
  /** tokens in the sample */
  tokens: number
  /** the smallest density above zero that this sample can show: 1 / tokens */
  resolution: number
  /** features that fired on no token of the sample */
  neverFired: number
  /**
   * with 95% confidence a feature that never fired is active on fewer tokens than this share: 3 / tokens (the rule of three, Hanley and
   * Lippman-Hand 1983), were tokens independent
   */
  deadBelow: number
  /** the same features, where the sample is large enough to call them dead */
  dead: number | null
  deadFraction: number | null
  /** features that fired on more than 10% of the tokens */
  dense: number | null
  denseFraction: number | null
  /** features that fired, on fewer than 1e-6 of the tokens */
  ultraLow: number | null
  ultraLowFraction: number | null
  /** features by log10(density), those that never fired left out */
  histogram: Histogram
}

const lowestExponent = -8
const binsPerDecade = 4
const bins = -lowestExponent * binsPerDecade

/**
 * Dead, dense and ultra-low-density features and the log10 density histogram (quarter decades from 1e-8 to 1; what
 * lies below is in the first bin).
 * @param fires [F] tokens on which each feature fired
 * @param tokens size of the sample, > 0
 */
export function densityReport(fires: ArrayLike<number>, tokens: number): DensityReport {
  const counts = new Array<number>(bins).fill(0)
  let [neverFired, dense, ultraLow] = [0, 0, 0]
  for (let j = 0; j < fires.length; j++) {
    const density = fires[j] / tokens
    if (density === 0) {
      neverFired++
      continue
    }
    if (density > denseDensity) dense++
    if (density < ultraLowDensity) ultraLow++
    const bin = Math.floor((Math.log10(density) - lowestExponent) * binsPerDecade)
    counts[Math.min(bins - 1, Math.max(0, bin))]++
  }
  const weak = new Set(underpoweredDensities(tokens, fires.length).map(({ claim }) => claim))
  const claimed = (name: string, count: number): number | null => (weak.has(`density.${name}`) ? null : count)
  const share = (count: number | null): number | null => count && count / fires.length
  const [dead, denseCount, ultraLowCount] = [
    claimed('dead', neverFired),
    claimed('dense', dense),
    claimed('ultraLow', ultraLow),
  ]
  return {
    tokens,
    resolution: 1 / tokens,
    neverFired,
    deadBelow: 3 / tokens,
    dead,
    deadFraction: share(dead),
    dense: denseCount,
    denseFraction: share(denseCount),
    ultraLow: ultraLowCount,
    ultraLowFraction: share(ultraLowCount),
    histogram: {
      edges: Array.from({ length: bins + 1 }, (_, i) => lowestExponent + i / binsPerDecade),
      counts,
    },
  }
}
