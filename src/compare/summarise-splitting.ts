import { histogramOf } from '../eval/histogram.js'
import type { NearestRows } from './decoder-similarity.js'
import type { JointPass } from './joint-pass.js'
import type { Parents } from './parents.js'
import type { Partners } from './partners.js'
import {
  type SimilarityDistribution,
  type SplittingAgreement,
  type SplittingFeature,
  type SplittingSize,
  type SplittingStep,
  type StepCounts,
  similarityBins,
} from './splitting-file.js'

/** Everything that is known of one step from a dictionary to the next larger one. */
export interface StepMatch {
  parents: Parents
  /** by feature of the smaller dictionary */
  children: number[][]
  /** [F of the smaller, of the larger] 1 where a feature is judged */
  judged: readonly [Uint8Array, Uint8Array]
  /** parents if they took other cosines */
  sensitivity: { cosine: number; parents: Parents }[]
  /** of the larger's features in the smaller one, by activations, and on text that was moved */
  partners: Partners
  chancePartners: Partners
  /** the same by decoder rows, and with their dimensions permuted */
  nearest: NearestRows
  chanceNearest: NearestRows
}

/** A feature is one of a concept's when at least this share of its activation is where the concept holds. */
const conceptShare = 0.5

export function summariseSizes(pass: JointPass, directories: readonly string[]): SplittingSize[] {
  return pass.columns.map(({ fires, powered, underpowered }, size) => {
    const dead = fires.filter((count) => count === 0).length
    return {
      features: fires.length,
      directory: directories[size],
      l0: fires.reduce((sum, count) => sum + count, 0) / pass.tokens,
      dead,
      underpowered: underpowered - dead,
      judged: fires.length - underpowered,
      perConcept: pass.markShares[size].map(
        (shares) => shares.filter((share, feature) => powered[feature] === 1 && share >= conceptShare).length,
      ),
    }
  })
}

/** @param features of the smaller and of the larger dictionary */
export function summariseStep(
  step: StepMatch,
  [smaller, larger]: readonly [readonly SplittingFeature[], readonly SplittingFeature[]],
): SplittingStep {
  const judged = larger.filter(({ fate }) => fate !== 'underpowered' && fate !== 'dead')
  const descended = judged.filter(({ parent }) => parent !== null)
  const first = ({ k, ids, correlations }: Partners): Float64Array =>
    Float64Array.from(larger, (_, i) => (ids[i * k] < 0 ? Number.NaN : correlations[i * k]))
  const bestCorrelations = first(step.partners)
  // One that fires together with none has no correlation above 0 at all.
  const known = (values: Float64Array): number[] =>
    judged.map(({ feature }) => (Number.isNaN(values[feature]) ? 0 : values[feature]))
  return {
    ...countStep(step.parents, step.judged),
    childCounts: countChildren(smaller),
    sensitivity: step.sensitivity.map(({ cosine, parents }) => ({
      cosine,
      ...countStep(parents, step.judged),
    })),
    agreement: agreementOf(judged, descended),
    sameCluster: shareOf(descended, ({ cluster, parent }) => cluster === smaller[parent as number].cluster),
    cosine: distribution(known(step.nearest.cosines), known(step.chanceNearest.cosines)),
    correlation: distribution(known(bestCorrelations), known(first(step.chancePartners))),
  }
}

function countStep({ parent }: Parents, [smaller, larger]: StepMatch['judged']): StepCounts {
  const children = new Int32Array(smaller.length)
  for (const id of parent) if (id >= 0) children[id]++
  const having = (holds: (count: number) => boolean): number =>
    children.filter((count, id) => smaller[id] === 1 && holds(count)).length
  const kept = having((count) => count === 1)
  const descended = parent.filter((id) => id >= 0).length
  return {
    ...{ kept, split: having((count) => count > 1), lost: having((count) => count === 0) },
    ...{ ofKept: kept, ofSplit: descended - kept, new: larger.filter((is) => is === 1).length - descended },
  }
}

/** How many judged features have 0, 1, 2, ... children. */
function countChildren(smaller: readonly SplittingFeature[]): number[] {
  const counts: number[] = []
  for (const { fate, children } of smaller)
    if (fate !== 'underpowered' && fate !== 'dead') {
      while (counts.length <= children.length) counts.push(0)
      counts[children.length]++
    }
  return counts
}

function agreementOf(
  judged: readonly SplittingFeature[],
  descended: readonly SplittingFeature[],
): SplittingAgreement {
  const both = judged.filter(({ nearest, mostCorrelated }) => nearest !== null && mostCorrelated !== null)
  return {
    compared: both.length,
    sameBest: shareOf(both, ({ nearest, mostCorrelated }) => nearest === mostCorrelated),
    parentIsNearest: shareOf(descended, ({ parent, nearest }) => parent === nearest),
    parentIsMostCorrelated: shareOf(descended, ({ parent, mostCorrelated }) => parent === mostCorrelated),
    sameId: shareOf(descended, ({ parent, feature }) => parent === feature),
  }
}

function shareOf<T>(list: readonly T[], holds: (item: T) => boolean): number | null {
  return list.length === 0 ? null : list.filter(holds).length / list.length
}

function distribution(found: readonly number[], chance: readonly number[]): SimilarityDistribution {
  return {
    median: quantile(found, 0.5),
    histogram: similarityCounts(found),
    chance: {
      median: quantile(chance, 0.5),
      p99: quantile(chance, 0.99),
      histogram: similarityCounts(chance),
    },
  }
}

/** The smallest value that at least this share of a list does not exceed; null for an empty list. */
function quantile(values: readonly number[], probability: number): number | null {
  if (values.length === 0) return null
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(probability * sorted.length) - 1)]
}

/** Similarities by `similarityBins` equal bins from 0 to 1. */
const similarityCounts = (values: readonly number[]): number[] =>
  histogramOf(values, 0, 1, similarityBins).counts
