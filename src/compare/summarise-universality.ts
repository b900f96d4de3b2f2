import { spearman } from '../interp/correlation.js'
import {
  activationSimilarities,
  heldOutSimilarities,
  knownOr0,
  logitSimilarities,
} from './best-similarities.js'
import { quantiles } from './bootstrap-medians.js'
import type { ColumnStatistics } from './column-sums.js'
import { type Columns, widthOf } from './columns.js'
import { logitCorrelation } from './logit-similarity.js'
import { rounded, roundedInterval, roundedOrNull } from './rounded.js'
import { shareInterval } from './share-interval.js'
import { fewestColumns, similaritySummaries, withHeldOut } from './similarity-summaries.js'
import { comparisons, type MeasuredUniversality, sets } from './universality.js'
import type { UniversalityConfig } from './universality-config.js'
import type {
  Agreement,
  DensityBin,
  FeaturePartners,
  Quartiles,
  Side,
  Universality,
} from './universality-file.js'

/** Sums up what was measured; the content of universality.json. */
export function summariseUniversality(
  measured: MeasuredUniversality,
  config: UniversalityConfig,
): Universality {
  const { chosen, heldOut, columns, logitWeights } = measured
  const activation = activationSimilarities(measured)
  const byLogits = logitWeights && logitSimilarities(logitWeights)
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
    activation: withHeldOut(similaritySummaries(activation, activationCandidates, config), measured, config),
    logitWeights: byLogits && logitWeights && similaritySummaries(byLogits, logitWeights.candidates, config),
    noLogitWeights: measured.noLogitWeights,
    agreement: agreementOf(measured),
    density: densityBins(measured, activation.features, byLogits?.features ?? null),
    aToB: partnersOf(measured, 'features'),
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

function partnersOf(measured: MeasuredUniversality, name: 'features' | 'backwards'): FeaturePartners {
  const { chosen, pairs, logitWeights } = measured
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
      heldOut: listOf(heldOutSimilarities(measured, name)),
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
    const members = bins.get(bin)
    if (members) members.push(i)
    else bins.set(bin, [i])
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

const listOf = (values: Float64Array): (number | null)[] => Array.from(values, roundedOrNull)
const idsOf = (ids: Int32Array): (number | null)[] => Array.from(ids, (id) => (id < 0 ? null : id))
