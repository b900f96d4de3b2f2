/**
 * Features that fire on fewer than one token in a million: the ultra-low-density cluster of Bricken et al.
 * 2023.
 */
export const ultraLowDensity = 1e-6

/** How often features fire, over one sample. */
export interface DensityReport {
  /** tokens in the sample */
  tokens: number
  /** the smallest density above zero that this sample can show: 1 / tokens */
  resolution: number
  /** features that never fired on the sample; on a small sample a rare feature looks dead too */
  dead: number
  deadFraction: number
  /**
   * features that fired, on fewer than 1e-6 of the tokens; null when the sample is too small to show such a
   * density
   */
  ultraLow: number | null
  ultraLowFraction: number | null
  /** features by log10(density), dead ones left out; bin i covers edges[i] (included) to edges[i + 1] */
  histogram: { edges: number[]; counts: number[] }
}

const lowestExponent = -8
const binsPerDecade = 4
const bins = -lowestExponent * binsPerDecade

/**
 * Dead and ultra-low-density features and the log10 density histogram (quarter decades from 1e-8 to 1; what
 * lies below is in the first bin).
 * @param fires [F] tokens on which each feature fired
 * @param tokens size of the sample, > 0
 */
export function densityReport(fires: ArrayLike<number>, tokens: number): DensityReport {
  const counts = new Array<number>(bins).fill(0)
  let dead = 0
  let ultraLow = 0
  for (let j = 0; j < fires.length; j++) {
    const density = fires[j] / tokens
    if (density === 0) {
      dead++
      continue
    }
    if (density < ultraLowDensity) ultraLow++
    const bin = Math.floor((Math.log10(density) - lowestExponent) * binsPerDecade)
    counts[Math.min(bins - 1, Math.max(0, bin))]++
  }
  const resolvable = 1 / tokens < ultraLowDensity
  return {
    tokens,
    resolution: 1 / tokens,
    dead,
    deadFraction: dead / fires.length,
    ultraLow: resolvable ? ultraLow : null,
    ultraLowFraction: resolvable ? ultraLow / fires.length : null,
    histogram: {
      edges: Array.from({ length: bins + 1 }, (_, i) => lowestExponent + i / binsPerDecade),
      counts,
    },
  }
}
