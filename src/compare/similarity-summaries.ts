import { Random } from '../random/random.js'
import { heldOutSimilarities, type Similarities } from './best-similarities.js'
import { bootstrapMedians, drawCounts, type MedianIntervals, median, quantiles } from './bootstrap-medians.js'
import { rounded, roundedInterval } from './rounded.js'
import type { MeasuredUniversality } from './universality.js'
import type { UniversalityConfig } from './universality-config.js'
import type { Comparison, HeldOut, SimilaritySummary } from './universality-file.js'

/** Fewest columns that a median is said of. */
export const fewestColumns = 30

/** Fewest documents that an interval over documents is drawn from. */
const fewestDocuments = 10

const order: readonly Comparison[] = ['features', 'neurons', 'featuresToNeurons', 'shuffled']

const known = (values: Float64Array): Float64Array => values.filter((value) => !Number.isNaN(value))

function tooFew(count: number): string | null {
  return count < fewestColumns
    ? `only ${count} could be compared, a median takes at least ${fewestColumns}: read more --tokens`
    : null
}

/** The distribution of each comparison's similarities, with intervals over columns. */
export function similaritySummaries(
  similarities: Similarities,
  candidates: Record<Comparison, number>,
  config: UniversalityConfig,
): Record<Comparison, SimilaritySummary> {
  const usable = order.filter((name) => known(similarities[name]).length >= fewestColumns)
  const random = Random.named(config.bootstrapSeed, 'universality intervals')
  const intervals = bootstrapMedians(usable, similarities, () => similarities, config.replicates, random)
  const summary = (name: Comparison): SimilaritySummary => {
    const compared = known(similarities[name]).length
    const percentiles = quantiles(similarities[name], percents)
    return {
      compared,
      candidates: candidates[name],
      ...medianOf(name, similarities, intervals),
      reason: tooFew(compared),
      percentiles: percentiles?.map(rounded) ?? null,
      heldOut: null,
    }
  }
  return {
    features: summary('features'),
    neurons: summary('neurons'),
    featuresToNeurons: summary('featuresToNeurons'),
    shuffled: summary('shuffled'),
  }
}

const percents = Array.from({ length: 101 }, (_, i) => i / 100)

/** A median with its interval, and by how much it is below that of the features. */
function medianOf(
  name: Comparison,
  similarities: Partial<Similarities>,
  intervals: Partial<MedianIntervals<Comparison>>,
): Pick<SimilaritySummary, 'median' | 'interval' | 'below'> {
  const enough = (of: Comparison): number | null => {
    const values = known(similarities[of] ?? new Float64Array(0))
    return values.length < fewestColumns ? null : median(values)
  }
  const [own, features] = [enough(name), enough('features')]
  if (own === null) return { median: null, interval: null, below: null }
  const below =
    name === 'features' || features === null
      ? null
      : {
          value: rounded(features - own),
          interval: roundedInterval(intervals.differences?.[name] ?? null),
        }
  return { median: rounded(own), interval: roundedInterval(intervals.medians?.[name] ?? null), below }
}

const measuredAgain = ['features', 'neurons', 'featuresToNeurons'] as const
type MeasuredAgain = (typeof measuredAgain)[number]

/** Adds the same pairs' similarity on the documents that had no part in choosing them. */
export function withHeldOut(
  chosen: Record<Comparison, SimilaritySummary>,
  measured: MeasuredUniversality,
  config: UniversalityConfig,
): Record<Comparison, SimilaritySummary> {
  const { groups, documents } = measured.heldOut
  const all = drawn(measured)
  const usable = measuredAgain.filter((name) => known(all[name]).length >= fewestColumns)
  const draw = (random: Random) => drawn(measured, drawCounts(groups, random))
  const intervals =
    documents < fewestDocuments
      ? {}
      : bootstrapMedians(
          usable,
          all,
          draw,
          config.replicates,
          Random.named(config.bootstrapSeed, 'held-out intervals'),
        )
  const heldOut = (name: MeasuredAgain): HeldOut => ({
    compared: known(all[name]).length,
    ...medianOf(name, all, intervals),
  })
  const { features, neurons, featuresToNeurons, shuffled } = chosen
  return {
    features: { ...features, heldOut: heldOut('features') },
    neurons: { ...neurons, heldOut: heldOut('neurons') },
    featuresToNeurons: { ...featuresToNeurons, heldOut: heldOut('featuresToNeurons') },
    shuffled,
  }
}

/** @param weights [groups] how often each group of documents counts; default: once */
function drawn(measured: MeasuredUniversality, weights?: Float64Array): Record<MeasuredAgain, Float64Array> {
  const of = (name: MeasuredAgain): Float64Array => heldOutSimilarities(measured, name, weights)
  return { features: of('features'), neurons: of('neurons'), featuresToNeurons: of('featuresToNeurons') }
}
