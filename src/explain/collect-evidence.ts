import { requireSaeFits } from '../activations/sae-on-model.js'
import type { TokenCorpus } from '../corpus/corpus.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { EncodedBatch } from '../eval/encoded-windows.js'
import type { LogitWeight, TokenStatistics } from '../features/feature-store.js'
import { placesOf, selectCodes } from '../features/select-codes.js'
import { type FeatureTokens, featureTokens } from '../features/token-counts.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, silentProgress } from '../progress/progress.js'
import { requireFeature } from '../sae/require-feature.js'
import type { Sae } from '../sae/sae.js'
import type { Candidates } from './candidates.js'
import { chooseExamples } from './choose-examples.js'
import type { Example, FeatureEvidence } from './evidence.js'
import { type EvidenceConfig, exampleCounts } from './evidence-config.js'
import { passOver, type UnitGroup } from './evidence-pass.js'
import { createNeuronCorrelation, mostCorrelatedNeuron } from './neuron-correlation.js'
import type { UnitTables } from './text-statistics.js'
import { positiveCodes } from './unit-codes.js'

/** What evidence is wanted for, and where from. */
export interface EvidenceRequest {
  model: Transformer
  sae: Sae
  corpus: Pick<TokenCorpus, 'train' | 'validation' | 'tokenizer'>
  /** features, in any order */
  features: readonly number[]
  /** also the evidence of every neuron of the autoencoder's hook point; default false */
  neurons?: boolean
  /** the features nearest to one, for the examples of the group `neighbour`; default none */
  nearest?: (feature: number) => readonly number[]
  /** the ends of a feature's logit weights; default none */
  logits?: (feature: number) => Pick<FeatureEvidence, 'topLogits' | 'bottomLogits'>
}

/** A unit (feature or neuron) that there is too little text of to explain or to score. */
export interface DroppedUnit {
  id: number
  /** `dead`: never active on either text; `rare`: on fewer than `minExamples` tokens of one of them */
  reason: 'dead' | 'rare'
  /** tokens on which it is active, of the text that explains and of the text that scores */
  explainFires: number
  scoreFires: number
}

/** Evidence of many units, made when asked for: the candidates take much less room than finished examples. */
export interface UnitEvidence {
  /** units that have evidence, ascending */
  ids: readonly number[]
  dropped: readonly DroppedUnit[]
  /** @throws MonosemError missing: not one of `ids` */
  get(id: number): FeatureEvidence
  /** the first of the top examples to explain, without the rest of the evidence; same errors */
  strongest(id: number, count: number): Example[]
  /** what the text to explain from tells of a unit beyond its examples; same errors */
  statistics(id: number): UnitStatistics
}

/** On which tokens of the vocabulary a unit is active, and after which, in all text that explains. */
export interface UnitStatistics {
  /** text positions */
  positions: number
  /** those on which it is active */
  fires: number
  /** by the token that it is active on, largest sum of activations first */
  on: readonly TokenStatistics[]
  /** by the token before; <|endoftext|> stands for none */
  after: readonly TokenStatistics[]
  /** by the kind of text it is in; `token` is an index into `contextClasses` */
  within: readonly TokenStatistics[]
  /** [V] text positions with each token */
  occurrences: ArrayLike<number>
}

export interface Evidence {
  features: UnitEvidence
  /** null when they were not asked for */
  neurons: UnitEvidence | null
  /** the neuron that a feature goes with most, by Pearson correlation on part of the training text; null when neurons were not asked for */
  mostCorrelatedNeuron(feature: number): number | null
}

/**
 * Collects examples of features, and of neurons, in one pass over training text (to explain) and one over validation text (to score): two texts that
 * share no document, and no two examples of a unit share the tokens around their middle. The ranks of `context` share the passes, and all have the
 * evidence of all units.
 * @throws MonosemError missing (no such feature, too little text), shape, interrupted
 */
export async function collectEvidence(
  config: EvidenceConfig,
  request: EvidenceRequest,
  context: StageContext = { progress: silentProgress },
): Promise<Evidence> {
  const { model, sae, corpus } = request
  requireSaeFits(model, sae)
  const groups = [featureGroup(request), ...(request.neurons ? [neuronGroup(sae.d)] : [])]
  const counts = exampleCounts(config)
  const common = { model, sae, tokenizer: corpus.tokenizer, groups, config }
  const correlation = request.neurons ? createNeuronCorrelation(groups[0].ids.length, sae.d) : null
  const explain = await passOver(
    { ...common, split: corpus.train, tokens: config.explainTokens, counts: counts.explain, correlation },
    context,
  )
  const score = await passOver(
    {
      ...common,
      split: corpus.validation,
      tokens: config.scoreTokens,
      counts: counts.score,
      earlier: explain,
    },
    context,
  )
  const [features, neurons] = groups.map(({ ids }, i) =>
    unitEvidence(config, ids, { explain: explain[i], score: score[i] }, i === 0 ? request.logits : undefined),
  )
  return {
    features,
    neurons: neurons ?? null,
    mostCorrelatedNeuron: (feature) => {
      const unit = groups[0].ids.indexOf(feature)
      return correlation && unit >= 0 ? mostCorrelatedNeuron(correlation, unit) : null
    },
  }
}

function featureGroup({ sae, features, nearest }: EvidenceRequest): UnitGroup {
  const ids = [...new Set(features)].sort((a, b) => a - b)
  for (const id of ids) requireFeature(id, sae.features)
  const place = placesOf(ids, sae.features)
  const near = new Map<number, number[]>()
  ids.forEach((id, unit) => {
    for (const other of nearest?.(id) ?? []) {
      const units = near.get(other)
      if (units) units.push(unit)
      else near.set(other, [unit])
    }
  })
  const codes = (encoded: EncodedBatch): EncodedBatch =>
    ids.length === sae.features ? encoded : { ...encoded, codes: selectCodes(encoded.codes, place) }
  return { ids, codes, near }
}

function neuronGroup(d: number): UnitGroup {
  const codes = (encoded: EncodedBatch): EncodedBatch => ({
    ...encoded,
    codes: positiveCodes(encoded.activations ?? new Float32Array(0), d),
  })
  return { ids: Array.from({ length: d }, (_, i) => i), codes, near: new Map() }
}

function unitEvidence(
  config: EvidenceConfig,
  ids: readonly number[],
  { explain, score }: { explain: Candidates; score: Candidates },
  logits: EvidenceRequest['logits'],
): UnitEvidence {
  const { kept, dropped } = sortOut(ids, { explain, score }, Math.max(1, config.minExamples))
  const counts = exampleCounts(config)
  const live = new Set(kept)
  const unitOf = new Map([...ids.entries()].flatMap(([unit, id]) => (live.has(id) ? [[id, unit]] : [])))
  const unitFor = (id: number): number => {
    const unit = unitOf.get(id)
    if (unit === undefined) throw new MonosemError('missing', `there is no evidence of unit ${id}`)
    return unit
  }
  return {
    ids: kept,
    dropped,
    get: (id) => {
      const unit = unitFor(id)
      const { collector } = explain
      const taken = new Set<string>()
      return {
        feature: id,
        max: collector.max[unit],
        density: collector.fires[unit] / collector.tokens,
        topLogits: [] as LogitWeight[],
        bottomLogits: [] as LogitWeight[],
        ...logits?.(id),
        singleToken: tokensOf(explain, unit, 'on', 1).singleToken,
        explain: chooseExamples(explain, unit, counts.explain, config.predictTokens, taken),
        score: chooseExamples(score, unit, counts.score, config.predictTokens, taken),
      }
    },
    strongest: (id, count) => {
      const top = Math.min(count, counts.explain.top)
      const others = { perInterval: 0, random: 0, outOfContext: 0, neighbours: 0 }
      const wanted = { ...counts.explain, ...others, top }
      return chooseExamples(explain, unitFor(id), wanted, config.predictTokens, new Set())
    },
    statistics: (id) => {
      const unit = unitFor(id)
      return {
        positions: explain.collector.tokens,
        fires: explain.collector.fires[unit],
        on: tokensOf(explain, unit, 'on').tokens,
        after: tokensOf(explain, unit, 'after').tokens,
        within: tokensOf(explain, unit, 'within').tokens,
        occurrences: (explain.tables as UnitTables).on.counts.occurrences,
      }
    },
  }
}

/** Units that were active often enough on both texts, and the others. @param least tokens of each text */
function sortOut(
  ids: readonly number[],
  { explain, score }: { explain: Candidates; score: Candidates },
  least: number,
): { kept: number[]; dropped: DroppedUnit[] } {
  const dropped: DroppedUnit[] = []
  const kept: number[] = []
  ids.forEach((id, unit) => {
    const [explainFires, scoreFires] = [explain, score].map(({ collector }) => collector.fires[unit])
    const reason = explainFires + scoreFires === 0 ? 'dead' : 'rare'
    if (explainFires >= least && scoreFires >= least) kept.push(id)
    else dropped.push({ id, reason, explainFires, scoreFires })
  })
  return { kept, dropped }
}

/** The rows of a unit in a table of tokens. @param which table; @param limit rows at most, default all */
function tokensOf(
  { collector, tables }: Candidates,
  unit: number,
  which: keyof UnitTables,
  limit = Number.POSITIVE_INFINITY,
): FeatureTokens {
  const { fires, tokens } = collector
  const { counts, block } = (tables as UnitTables)[which]
  return featureTokens(counts, block, unit, {
    fires: fires[unit],
    positions: tokens,
    limit,
  })
}
