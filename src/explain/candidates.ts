import type { TokenSplit } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import type { EncodedBatch } from '../eval/encoded-windows.js'
import type { ContextShape } from '../features/context.js'
import type { CodedStretch, ExampleSlots } from '../features/example-slots.js'
import {
  collectWindow,
  createCollector,
  type FeatureCollector,
  windowsOf,
} from '../features/feature-collector.js'
import type { PairBlock } from '../features/pair-table.js'
import { topExamplesOf } from '../features/top-examples.js'
import type { Kernels } from '../kernels/kernels.js'
import { Random } from '../random/random.js'
import type { ExampleCounts } from './evidence-config.js'
import { isOwn, type OwnUnits, ownCodes, type UnitArray } from './own-units.js'
import { createPlaceSamples, offerPlace, type PlaceSamples } from './place-samples.js'
import { addWindow, createTextStatistics, type TextStatistics, type UnitTables } from './text-statistics.js'

/** Tokens of the strongest examples that count as a unit's top tokens, at most. */
const topTokens = 10

/** More candidates than are wanted, because some hold the same text as another example. */
const spare = { top: 8, perBin: 3, places: 2 }

/**
 * What one pass over a split gathers to choose examples of U units from: top and interval examples as in the feature store, random places, and
 * places where the unit's top tokens, or its nearest features, come without it. Memory depends on U only.
 */
export interface Candidates {
  split: TokenSplit
  units: number
  /** those that this rank gathers */
  own: OwnUnits
  collector: FeatureCollector
  /** null where nobody explains from this text */
  statistics: TextStatistics | null
  /** what came of `statistics`, at the end of the pass */
  tables: UnitTables | null
  random: PlaceSamples
  outOfContext: PlaceSamples
  neighbours: PlaceSamples
  /** random places by token, ascending, and the unit of each; `plannedDone` of them have been passed */
  planned: { tokens: Int32Array; units: Int32Array }
  plannedDone: number
  /** units whose top tokens hold a token; empty until they are known */
  watchers: ReadonlyMap<number, readonly number[]>
  /** units that have a feature among their nearest ones, by feature; empty for neurons */
  near: ReadonlyMap<number, readonly number[]>
}

export interface CandidatesOptions {
  kernels: Kernels
  split: TokenSplit
  /** window indices that the pass goes through, ascending */
  windows: Int32Array
  shape: ContextShape
  /** [U] ids of the units: what is drawn for one does not depend on which others are there */
  ids: Int32Array
  own: OwnUnits
  counts: ExampleCounts
  seed: number
  /** given to gather the statistics of tokens too */
  tokenizer?: Pick<Tokenizer, 'vocabularySize' | 'startOfText' | 'tokenBytes'>
  watchers?: Candidates['watchers']
  near?: Candidates['near']
}

export function createCandidates(options: CandidatesOptions): Candidates {
  const { split, shape, ids, own, counts, seed, tokenizer } = options
  const units = ids.length
  const random = Random.named(seed, `explain.places.${split.name}`)
  const places = (wanted: number): PlaceSamples =>
    createPlaceSamples(ids, Math.ceil(wanted * spare.places), shape, random.uint32())
  const collector = createCollector({
    features: units,
    split,
    shape,
    ids,
    top: counts.top + spare.top,
    perBin: counts.perInterval > 0 ? spare.perBin : 0,
    key: random.uint32(),
  })
  const [drawn, outOfContext, neighbours] = [counts.random, counts.outOfContext, counts.neighbours].map(
    places,
  )
  return {
    split,
    units,
    own,
    collector,
    statistics: tokenizer ? createTextStatistics(options.kernels, units, tokenizer, own) : null,
    tables: null,
    random: drawn,
    outOfContext,
    neighbours,
    planned: planPlaces(options, drawn.capacity),
    plannedDone: 0,
    watchers: options.watchers ?? new Map(),
    near: options.near ?? new Map(),
  }
}

/** `count` random text positions of the windows for every own unit, by position. */
function planPlaces(
  { split, windows, shape, ids, own, seed }: CandidatesOptions,
  count: number,
): Candidates['planned'] {
  const drawn: { token: number; unit: number }[] = []
  ids.forEach((id, unit) => {
    if (!isOwn(own, unit)) return
    const random = Random.named(seed, `explain.random.${split.name}.${id}`)
    for (let i = 0; i < count; i++) {
      const token = windows[random.int(windows.length)] * shape.contextSize + random.int(shape.contextSize)
      if (split.tokens[token] !== shape.startOfText) drawn.push({ token, unit })
    }
  })
  drawn.sort((a, b) => a.token - b.token || a.unit - b.unit)
  return {
    tokens: Int32Array.from(drawn, ({ token }) => token),
    units: Int32Array.from(drawn, ({ unit }) => unit),
  }
}

/** The own units that each token is a top token of, from the strongest examples so far. */
export function topTokenWatchers({ collector, split, own }: Candidates): Map<number, number[]> {
  const watchers = new Map<number, number[]>()
  for (let unit = own.first; unit < own.first + own.count; unit++) {
    const tokens = new Set(topExamplesOf(collector.top, unit).map(({ token }) => split.tokens[token]))
    for (const token of [...tokens].slice(0, topTokens))
      watchers.set(token, [...(watchers.get(token) ?? []), unit])
  }
  return watchers
}

/**
 * Adds a batch of windows. Batches come in ascending order of their windows.
 * @param encoded with the codes of all units
 * @param all the codes of all features, when `near` names any
 */
export function addCandidates(
  candidates: Candidates,
  encoded: EncodedBatch,
  all: EncodedBatch = encoded,
): void {
  const { own, collector, statistics, split } = candidates
  const codes = ownCodes(own, encoded.codes)
  for (const window of windowsOf({ ...encoded, codes }, collector.shape.contextSize)) {
    const { stretch } = window
    collectWindow(collector, window)
    // Where a chunk of statistics ends depends on the codes of all units.
    if (statistics)
      addWindow(statistics, { ...window, stretch: { ...stretch, codes: encoded.codes } }, split.tokens)
    stretch.rowOf.forEach((row, i) => {
      if (row >= 0) offerRow(candidates, stretch, stretch.firstToken + i, row, all)
    })
  }
}

function offerRow(
  candidates: Candidates,
  stretch: CodedStretch,
  token: number,
  row: number,
  all: EncodedBatch,
): void {
  const { split, own, planned, watchers, near } = candidates
  const { tokens, units } = planned
  for (; candidates.plannedDone < tokens.length; candidates.plannedDone++) {
    const next = tokens[candidates.plannedDone]
    if (next > token) break
    if (next === token)
      offerPlace(candidates.random, split, units[candidates.plannedDone], token, stretch, false)
  }
  for (const unit of watchers.get(split.tokens[token]) ?? [])
    offerPlace(candidates.outOfContext, split, unit, token, stretch, true)
  if (near.size === 0) return
  const { rowOffsets, featureIds } = all.codes
  for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++)
    for (const unit of near.get(featureIds[e]) ?? [])
      if (isOwn(own, unit)) offerPlace(candidates.neighbours, split, unit, token, stretch, true)
}

/** All that is kept of the units, unit by unit. */
export function unitArrays({ collector, tables, random, outOfContext, neighbours }: Candidates): UnitArray[] {
  const { fires, sum, squares, max, histograms, top, samples } = collector
  const ofSlots = ({ token, activation, first, end, context }: ExampleSlots): UnitArray[] => [
    ...[token, activation, first, end, context],
  ]
  const ofPlaces = ({ count, threshold, priority, slots }: PlaceSamples): UnitArray[] => [
    ...[count, threshold, priority],
    ...ofSlots(slots),
  ]
  const ofTable = ({ ids, size, count, sum, before, missed }: PairBlock): UnitArray[] => [
    ...[size, count, sum, missed],
    ...(ids ? [ids] : []),
    ...(before ? [before] : []),
  ]
  return [
    ...[fires, sum, squares, max, histograms.range, histograms.counts],
    ...[top.count, top.order, ...ofSlots(top.slots)],
    ...[samples.count, samples.threshold, samples.order, samples.priority, ...ofSlots(samples.slots)],
    ...[random, outOfContext, neighbours].flatMap(ofPlaces),
    ...Object.values(tables ?? {}).flatMap(({ block }) => ofTable(block)),
  ]
}
