import { spearman } from '../interp/correlation.js'
import { Random } from '../random/random.js'
import { bootstrapMedians, drawCounts, type MedianIntervals, median, quantiles } from './bootstrap-medians.js'
import type { ColumnStatistics } from './column-sums.js'
import { type Columns, widthOf } from './columns.js'
import { logitCorrelation } from './logit-similarity.js'
import { pairCorrelations } from './measure-pairs.js'
import { shareInterval } from './share-interval.js'
import { comparisons, type MeasuredUniversality, sets } from './universality.js'
import type { UniversalityConfig } from './universality-config.js'
import type {
  Agreement,
  Comparison,
  DensityBin,
  FeaturePartners,
  HeldOut,
  Quartiles,
  Side,
  SimilaritySummary,
  Universality,
} from './universality-file.js'

/** Fewest columns that a median is said of, and fewest documents that an interval over documents is drawn from. */
export const fewestColumns = 30
const fewestDocuments = 10

const order: readonly Comparison[] = ['features', 'neurons', 'featuresToNeurons', 'shuffled']
type Similarities = Record<Comparison, Float64Array>

/** Sums up what was measured; the content of universality.json. */
export function summariseUniversality(
  measured: MeasuredUniversality,
  config: UniversalityConfig,
): Universality {
  const { chosen, heldOut, columns, logitWeights } = measured
  const activation = activationSimilarities(measured)
  const byLogits = logitWeights && logitSimilarities(measured)
  const a = partnersOf(measured, 'features')
  const candidates = (set: number): number => chosen.columns[set].powered.reduce((sum, is) => sum + is, 0)
  const [b, neuronsOfB] = [candidates(sets.b), candidates(sets.neuronsOfB)]
  const activationCandidates = {
    features: b,
    neurons: neuronsOfB,
    featuresToNeurons: neuronsOfB,
    shuffled: b,
  }
  return {
    version: 1,
    text: {
      split: measured.heldOutSplit.name,
      choosing: chosen.tokens,
      heldOut: heldOut.tokens.reduce((sum, count) => sum + count, 0),
      heldOutDocuments: heldOut.documents,
      minFires: config.minFires,
    },
    a: sideOf(columns, chosen.columns, sets.a),
    b: sideOf(columns, chosen.columns, sets.b),
    activation: withHeldOut(summaries(activation, activationCandidates, config), measured, config),
    logitWeights: byLogits && logitWeights && summaries(byLogits, logitWeights.candidates, config),
    noLogitWeights: measured.noLogitWeights,
    agreement: agreementOf(measured),
    density: densityBins(measured, activation.features, byLogits?.features ?? null),
    aToB: a,
    bToA: partnersOf(measured, 'backwards'),
  }
}

function sideOf(columns: readonly Columns[], statistics: readonly ColumnStatistics[], set: number): Side {
  const held = columns[set]
  const { powered, fires } = statistics[set]
  return {
    hookName: held.kind === 'features' ? held.sae.hookName : held.hookName,
    features: widthOf(held),
    compared: powered.reduce((sum, is) => sum + is, 0),
    dead: fires.reduce((count, tokens) => count + (tokens === 0 ? 1 : 0), 0),
    neurons: widthOf(columns[set + 1]),
  }
}

/** A column that has enough tokens but no partner fires together with nothing: its similarity is 0. NaN: not compared. */
function knownOr0(similarities: Float64Array, powered: Uint8Array): Float64Array {
  return similarities.map((similarity, i) =>
    powered[i] ? (Number.isNaN(similarity) ? 0 : similarity) : Number.NaN,
  )
}

function activationSimilarities({ chosen, pairs }: MeasuredUniversality): Similarities {
  const at = (name: (typeof comparisons)[number]): number => comparisons.indexOf(name)
  const of = (name: (typeof comparisons)[number], kind: 'matched' | 'shuffled' = 'matched'): Float64Array => {
    const found = chosen.pairs[at(name)][kind]
    return knownOr0(found?.correlations ?? new Float64Array(0), chosen.columns[pairs[at(name)].from].powered)
  }
  return {
    features: of('features'),
    neurons: of('neurons'),
    featuresToNeurons: of('featuresToNeurons'),
    shuffled: of('features', 'shuffled'),
  }
}

function logitSimilarities({ logitWeights }: MeasuredUniversality): Similarities {
  const best = logitWeights?.best
  const of = (name: Comparison): Float64Array => best?.[name].similarities ?? new Float64Array(0)
  return {
    features: of('features'),
    neurons: of('neurons'),
    featuresToNeurons: of('featuresToNeurons'),
    shuffled: of('shuffled'),
  }
}

const known = (values: Float64Array): Float64Array => values.filter((value) => !Number.isNaN(value))

function tooFew(count: number): string | null {
  return count < fewestColumns
    ? `only ${count} could be compared, a median takes at least ${fewestColumns}: read more --tokens`
    : null
}

function summaries(
  similarities: Similarities,
  candidates: Record<Comparison, number>,
  config: UniversalityConfig,
): Record<Comparison, SimilaritySummary> {
  const usable = order.filter((name) => known(similarities[name]).length >= fewestColumns)
  const random = Random.named(config.bootstrapSeed, 'universality intervals')
  const intervals = bootstrapMedians(usable, () => similarities, config.replicates, random)
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
function withHeldOut(
  chosen: Record<Comparison, SimilaritySummary>,
  measured: MeasuredUniversality,
  config: UniversalityConfig,
): Record<Comparison, SimilaritySummary> {
  const { groups, documents } = measured.heldOut
  const all = heldOutSimilarities(measured, new Float64Array(groups).fill(1))
  const usable = measuredAgain.filter((name) => known(all[name]).length >= fewestColumns)
  const draw = (random: Random) => heldOutSimilarities(measured, drawCounts(groups, random))
  const intervals =
    documents < fewestDocuments
      ? {}
      : bootstrapMedians(
          usable,
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

/** @param weights [groups] how often each group of documents counts */
function heldOutSimilarities(
  measured: MeasuredUniversality,
  weights: Float64Array,
): Record<MeasuredAgain, Float64Array> {
  const of = (name: MeasuredAgain): Float64Array => heldOutOf(measured, name, weights)
  return { features: of('features'), neurons: of('neurons'), featuresToNeurons: of('featuresToNeurons') }
}

function heldOutOf(
  { heldOut, pairs, chosen }: MeasuredUniversality,
  name: (typeof comparisons)[number],
  weights: Float64Array,
): Float64Array {
  const p = comparisons.indexOf(name)
  const { powered } = chosen.columns[pairs[p].from]
  return pairCorrelations(heldOut, pairs, p, weights).map((correlation, i) =>
    powered[i] && pairs[p].partners[i] < 0 ? 0 : correlation,
  )
}

function partnersOf(measured: MeasuredUniversality, name: 'features' | 'backwards'): FeaturePartners {
  const { chosen, pairs, logitWeights, heldOut } = measured
  const p = comparisons.indexOf(name)
  const { powered, fires } = chosen.columns[pairs[p].from]
  const { ids, correlations } = chosen.pairs[p].matched
  const similarity = logitWeights?.similarity
  // The matrix of correlations is the same from either side.
  const logit = (own: number, other: number): number =>
    similarity === undefined || other < 0
      ? Number.NaN
      : name === 'features'
        ? logitCorrelation(similarity, own, other)
        : logitCorrelation(similarity, other, own)
  const best = logitWeights?.best[name]
  return {
    fires: Array.from(fires),
    activation: {
      partner: idsOf(ids),
      similarity: listOf(knownOr0(correlations, powered)),
      heldOut: listOf(heldOutOf(measured, name, new Float64Array(heldOut.groups).fill(1))),
      logitSimilarity: Array.from(ids, (other, own) => roundedOrNull(logit(own, other))),
    },
    logitWeights: best ? { partner: idsOf(best.ids), similarity: listOf(best.similarities) } : null,
  }
}

function agreementOf({ chosen, pairs, logitWeights }: MeasuredUniversality): Agreement {
  const there = chosen.pairs[comparisons.indexOf('features')].matched
  const back = chosen.pairs[comparisons.indexOf('backwards')].matched
  const { powered } = chosen.columns[pairs[0].from]
  const features = Array.from(powered.keys()).filter((i) => powered[i] && there.ids[i] >= 0)
  const mutual = features.filter((i) => back.ids[there.ids[i]] === i).length
  const byLogits = logitWeights?.best.features.ids
  const both = features.filter((i) => byLogits !== undefined && byLogits[i] >= 0)
  const same = both.filter((i) => byLogits?.[i] === there.ids[i]).length
  const enough = both.length >= fewestColumns
  const similarity = logitWeights?.similarity
  return {
    compared: both.length,
    samePartner: enough ? rounded(same / both.length) : null,
    interval: enough ? roundedInterval(shareInterval(same, both.length)) : null,
    spearman:
      enough && similarity
        ? roundedOrNull(
            spearman(
              both.map((i) => there.correlations[i]),
              both.map((i) => logitCorrelation(similarity, i, there.ids[i])),
            ) ?? Number.NaN,
          )
        : null,
    mutual: features.length >= fewestColumns ? rounded(mutual / features.length) : null,
    mutualInterval:
      features.length >= fewestColumns ? roundedInterval(shareInterval(mutual, features.length)) : null,
  }
}

const binsPerDecade = 2

/** Features by density, in half decades. */
function densityBins(
  { chosen }: MeasuredUniversality,
  activation: Float64Array,
  logitWeights: Float64Array | null,
): DensityBin[] {
  const { fires, powered } = chosen.columns[sets.a]
  const bins = new Map<number, number[]>()
  powered.forEach((is, i) => {
    if (!is) return
    const bin = Math.min(-1, Math.floor(Math.log10(fires[i] / chosen.tokens) * binsPerDecade))
    bins.set(bin, [...(bins.get(bin) ?? []), i])
  })
  const quartiles = (values: Float64Array | null, members: readonly number[]): Quartiles | null => {
    if (values === null || members.length < fewestColumns) return null
    const found = quantiles(
      Float64Array.from(members, (i) => values[i]),
      [0.25, 0.5, 0.75],
    )
    return found && (found.map(rounded) as Quartiles)
  }
  return [...bins]
    .sort(([p], [q]) => p - q)
    .map(([bin, members]) => ({
      from: bin / binsPerDecade,
      to: (bin + 1) / binsPerDecade,
      features: members.length,
      activation: quartiles(activation, members),
      logitWeights: quartiles(logitWeights, members),
    }))
}

const rounded = (value: number): number => Number(value.toFixed(4))
const roundedOrNull = (value: number): number | null => (Number.isNaN(value) ? null : rounded(value))
const roundedInterval = (interval: [number, number] | null): [number, number] | null =>
  interval && [rounded(interval[0]), rounded(interval[1])]
const listOf = (values: Float64Array): (number | null)[] => Array.from(values, roundedOrNull)
const idsOf = (ids: Int32Array): (number | null)[] => Array.from(ids, (id) => (id < 0 ? null : id))
