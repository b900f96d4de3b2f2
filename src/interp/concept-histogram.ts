import {
  type ActivationHistograms,
  binOf,
  createHistograms,
  doubleRange,
  doublingsFor,
} from '../features/activation-histogram.js'
import {
  addDense,
  addToken,
  type CorrelationSums,
  correlations,
  createCorrelationSums,
} from './correlation-sums.js'
import { type LevelCounts, levelFigures, type SpecificityLevel } from './specificity.js'

/** Fine bins of a concept histogram: enough for any sensible number of levels to be nearly equally wide. */
const conceptBins = 1024

/**
 * How one feature's activations are distributed on tokens where a concept holds and where it does not, from one pass and
 * without keeping tokens. Counts are exact at the edges of the bins.
 */
export interface ConceptHistogram {
  max: number
  /** rows 0 (the concept does not hold) and 1 (it holds) of active tokens, over one range */
  active: ActivationHistograms
  /** tokens on which the feature is not active, by the same rows */
  inactive: [number, number]
  sums: CorrelationSums
}

export const createConceptHistogram = (): ConceptHistogram => ({
  max: 0,
  active: createHistograms(2, conceptBins),
  inactive: [0, 0],
  sums: createCorrelationSums(1, 1),
})

/** Counts one token. */
export function addToConcept(histogram: ConceptHistogram, activation: number, held: boolean): void {
  const row = held ? 1 : 0
  const labels = held ? [0] : []
  addToken(histogram.sums, labels)
  addDense(histogram.sums, Float32Array.of(activation), 0, labels)
  if (!(activation > 0)) {
    histogram.inactive[row]++
    return
  }
  const { active } = histogram
  if (active.range[0] === 0) {
    doublingsFor(active, 0, activation)
    active.range[1] = active.range[0]
  }
  for (let doublings = doublingsFor(active, 0, activation); doublings > 0; doublings--)
    for (const each of [0, 1]) doubleRange(active, each)
  active.counts[row * conceptBins + binOf(active.range[0], activation, conceptBins)]++
  if (activation > histogram.max) histogram.max = activation
}

/** Tokens with an activation in (low, high], and those above `low`. */
export interface ActivationInterval {
  /** 0 and 0: tokens on which the feature is not active */
  low: number
  high: number
  /** of the tokens in the interval; `recall` is their share of the concept's tokens */
  within: Omit<SpecificityLevel, 'fraction'>
  /** of all tokens with an activation above `low`; null for the first interval, which has no lower end */
  above: Omit<SpecificityLevel, 'fraction'> | null
}

/** How a concept's tokens and all others spread over the activations of a feature. */
export interface ConceptLevels {
  /** tokens counted, and those on which the concept holds */
  tokens: number
  positives: number
  /** tokens on which the feature is active */
  fires: number
  max: number
  /** Pearson correlation of the activation with "the concept holds"; null where either does not vary */
  correlation: number | null
  /** not active first, then `levels` nearly equal intervals of (0, max]; only the first where the feature never fires */
  intervals: ActivationInterval[]
}

/** @param levels intervals that (0, max] is cut into, at the nearest edges of bins */
export function conceptLevels(histogram: ConceptHistogram, levels: number): ConceptLevels {
  const { inactive, max, sums } = histogram
  const positives = sums.positives[0]
  const whole = { positives, negatives: sums.n - positives }
  const fires = sums.n - inactive[0] - inactive[1]
  const first: ActivationInterval = {
    low: 0,
    high: 0,
    within: figuresOf(inactive[0], inactive[1], whole),
    above: null,
  }
  const varies = positives > 0 && positives < sums.n && fires > 0
  return {
    tokens: sums.n,
    positives,
    fires,
    max,
    correlation: varies ? correlations(sums, 0)[0] : null,
    intervals: fires === 0 ? [first] : [first, ...activeIntervals(histogram, levels, whole)],
  }
}

function activeIntervals(
  histogram: ConceptHistogram,
  levels: number,
  whole: Pick<LevelCounts, 'positives' | 'negatives'>,
): ActivationInterval[] {
  const range = histogram.active.range[0]
  const edges = binEdges(histogram, levels)
  const above: [number, number] = [0, 0]
  const intervals: ActivationInterval[] = []
  for (let i = edges.length - 2; i >= 0; i--) {
    const [others, hits] = countsBetween(histogram, edges[i], edges[i + 1])
    above[0] += others
    above[1] += hits
    intervals.push({
      low: (edges[i] * range) / conceptBins,
      high: i === edges.length - 2 ? histogram.max : (edges[i + 1] * range) / conceptBins,
      within: figuresOf(others, hits, whole),
      above: figuresOf(above[0], above[1], whole),
    })
  }
  return intervals.reverse()
}

const figuresOf = (
  others: number,
  hits: number,
  whole: Pick<LevelCounts, 'positives' | 'negatives'>,
): Omit<SpecificityLevel, 'fraction'> => levelFigures({ tokens: others + hits, hits, ...whole })

/** Edges of `parts` nearly equal groups of the bins up to the maximum, as bin numbers; fewer where bins do not suffice. */
function binEdges({ max, active }: ConceptHistogram, parts: number): number[] {
  const used = binOf(active.range[0], max, conceptBins) + 1
  const edges = Array.from({ length: parts + 1 }, (_, i) => Math.round((i * used) / parts))
  return edges.filter((edge, i) => i === 0 || edge > edges[i - 1])
}

function countsBetween({ active }: ConceptHistogram, first: number, end: number): [number, number] {
  let [others, hits] = [0, 0]
  for (let bin = first; bin < end; bin++) {
    others += active.counts[bin]
    hits += active.counts[conceptBins + bin]
  }
  return [others, hits]
}

/** Counts of active tokens in `columns` groups of bins, for a plot. */
export function conceptColumns(
  histogram: ConceptHistogram,
  columns: number,
): { holds: number[]; others: number[] } {
  if (histogram.max === 0) return { holds: [], others: [] }
  const edges = binEdges(histogram, columns)
  const counts = edges.slice(1).map((end, i) => countsBetween(histogram, edges[i], end))
  return { holds: counts.map(([, hits]) => hits), others: counts.map(([others]) => others) }
}
