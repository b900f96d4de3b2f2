import type { TokenCorpus, TokenSplit } from '../corpus/corpus.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type EncodedBatch, encodedWindows } from '../eval/encoded-windows.js'
import { requireSaeFits } from '../eval/sae-on-model.js'
import { sampleWindows } from '../eval/sample-windows.js'
import type { LogitWeight } from '../features/feature-store.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import type { Sae } from '../sae/sae.js'
import { addCandidates, type Candidates, createCandidates, topTokenWatchers } from './candidates.js'
import { chooseExamples } from './choose-examples.js'
import type { FeatureEvidence } from './evidence.js'
import { type EvidenceConfig, exampleCounts } from './evidence-config.js'
import { placesOf, positiveCodes, selectCodes } from './unit-codes.js'

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
}

export interface Evidence {
  features: UnitEvidence
  /** null when they were not asked for */
  neurons: UnitEvidence | null
}

/** The units of one kind on their way through the text. */
interface UnitGroup {
  ids: number[]
  /** codes of the units in a batch */
  codes(encoded: EncodedBatch): EncodedBatch
  near: ReadonlyMap<number, readonly number[]>
}

/**
 * Collects examples of features, and of neurons, in one pass over training text (to explain) and one over validation text (to score): two texts that
 * share no document, and no two examples of a unit share the tokens around their middle.
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
  const explain = await passOver(corpus.train, config.explainTokens, groups, (group, windows, shape) =>
    createCandidates({
      split: corpus.train,
      windows,
      shape,
      ids: Int32Array.from(group.ids),
      counts: counts.explain,
      seed: config.seed,
    }),
  )
  const score = await passOver(
    corpus.validation,
    config.scoreTokens,
    groups,
    (group, windows, shape, index) =>
      createCandidates({
        split: corpus.validation,
        windows,
        shape,
        ids: Int32Array.from(group.ids),
        counts: counts.score,
        seed: config.seed,
        watchers: topTokenWatchers(explain[index]),
        near: group.near,
      }),
  )
  const [features, neurons] = groups.map(({ ids }, i) =>
    unitEvidence(config, ids, { explain: explain[i], score: score[i] }, i === 0 ? request.logits : undefined),
  )
  return { features, neurons: neurons ?? null }

  async function passOver(
    split: TokenSplit,
    tokens: number,
    groups: readonly UnitGroup[],
    create: (
      group: UnitGroup,
      windows: Int32Array,
      shape: Parameters<typeof createCandidates>[0]['shape'],
      index: number,
    ) => Candidates,
  ): Promise<Candidates[]> {
    const contextSize = model.config.context
    const endOfText = corpus.tokenizer.endOfText
    const windows = sampleWindows(split, contextSize, tokens)
    const shape = { contextSize, before: config.contextBefore, after: config.contextAfter, endOfText }
    const candidates = groups.map((group, i) => create(group, windows, shape, i))
    const task = context.progress.start(
      `collect ${split.name} examples`,
      windows.length * contextSize,
      'tokens',
    )
    const source = { model, sae, split, endOfText, windows, batchWindows: config.batchWindows }
    let done = 0
    for await (const encoded of encodedWindows({ ...source, withActivations: groups.length > 1 })) {
      throwIfInterrupted(context.signal)
      groups.forEach((group, i) => {
        addCandidates(candidates[i], group.codes(encoded), encoded)
        // Without top tokens from elsewhere, they are learnt from the first half of the text and watched for in the second.
        if (candidates[i].watchers.size === 0 && done >= windows.length / 2)
          candidates[i].watchers = topTokenWatchers(candidates[i])
      })
      done += encoded.windows.length
      task.update(done * contextSize)
    }
    task.end()
    return candidates
  }
}

function featureGroup({ sae, features, nearest }: EvidenceRequest): UnitGroup {
  const ids = [...new Set(features)].sort((a, b) => a - b)
  for (const id of ids)
    if (!Number.isInteger(id) || id < 0 || id >= sae.features)
      throw new MonosemError(
        'missing',
        `feature ${id}: expected a whole number from 0 to ${sae.features - 1}`,
      )
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
  const dropped: DroppedUnit[] = []
  const kept: number[] = []
  ids.forEach((id, unit) => {
    const [explainFires, scoreFires] = [explain, score].map(({ collector }) => collector.fires[unit])
    const least = Math.max(1, config.minExamples)
    if (explainFires >= least && scoreFires >= least) kept.push(id)
    else
      dropped.push({
        id,
        reason: explainFires + scoreFires === 0 ? 'dead' : 'rare',
        explainFires,
        scoreFires,
      })
  })
  const counts = exampleCounts(config)
  const unitOf = new Map(ids.map((id, unit) => [id, unit]))
  const known = new Set(kept)
  return {
    ids: kept,
    dropped,
    get: (id) => {
      const unit = unitOf.get(id)
      if (unit === undefined || !known.has(id))
        throw new MonosemError('missing', `there is no evidence of unit ${id}`)
      const { collector } = explain
      const taken = new Set<string>()
      return {
        feature: id,
        max: collector.max[unit],
        density: collector.fires[unit] / collector.tokens,
        topLogits: [] as LogitWeight[],
        bottomLogits: [] as LogitWeight[],
        ...logits?.(id),
        singleToken: isSingleToken(explain, unit),
        explain: chooseExamples(explain, unit, counts.explain, config.predictTokens, taken),
        score: chooseExamples(score, unit, counts.score, config.predictTokens, taken),
      }
    },
  }
}

/** Whether every example held of a unit, strong or weak, is about one and the same token. */
function isSingleToken({ collector, split }: Candidates, unit: number): boolean {
  const { top, samples } = collector
  const tokens = new Set<number>()
  for (let i = 0; i < top.count[unit]; i++)
    tokens.add(split.tokens[top.slots.token[top.order[unit * top.k + i]]])
  const bins = samples.count.length / collector.fires.length
  for (let place = unit * bins; place < (unit + 1) * bins; place++)
    for (let i = 0; i < samples.count[place]; i++)
      tokens.add(split.tokens[samples.slots.token[samples.order[place * samples.capacity + i]]])
  return tokens.size === 1
}
