import { pairCorrelations } from './measure-pairs.js'
import { comparisons, type MeasuredLogitWeights, type MeasuredUniversality } from './universality.js'
import type { Comparison } from './universality-file.js'

/** The similarity of each column of A with its best partner, by what is compared; NaN: not compared. */
export type Similarities = Record<Comparison, Float64Array>

type PairName = (typeof comparisons)[number]

/** A column that has enough tokens but no partner fires together with nothing: its similarity is 0. NaN: not compared. */
export function knownOr0(similarities: Float64Array, powered: Uint8Array): Float64Array {
  return similarities.map((similarity, i) =>
    powered[i] ? (Number.isNaN(similarity) ? 0 : similarity) : Number.NaN,
  )
}

/** On the half that chose the partners. */
export function activationSimilarities({ chosen, pairs }: MeasuredUniversality): Similarities {
  const at = (name: PairName): number => comparisons.indexOf(name)
  const of = (name: PairName, kind: 'matched' | 'shuffled' = 'matched'): Float64Array => {
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

export function logitSimilarities({ best }: MeasuredLogitWeights): Similarities {
  const of = (name: Comparison): Float64Array => best[name].similarities
  return {
    features: of('features'),
    neurons: of('neurons'),
    featuresToNeurons: of('featuresToNeurons'),
    shuffled: of('shuffled'),
  }
}

/**
 * The same pairs on the half that did not choose them.
 * @param weights [groups] how often each group of documents counts; default: once
 */
export function heldOutSimilarities(
  { heldOut, pairs, chosen }: MeasuredUniversality,
  name: PairName,
  weights: Float64Array = new Float64Array(heldOut.groups).fill(1),
): Float64Array {
  const p = comparisons.indexOf(name)
  const { powered } = chosen.columns[pairs[p].from]
  return pairCorrelations(heldOut, pairs, p, weights).map((correlation, i) =>
    powered[i] && pairs[p].partners[i] < 0 ? 0 : correlation,
  )
}
