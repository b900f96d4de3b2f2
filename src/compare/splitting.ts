import type { TokenCorpus } from '../corpus/corpus.js'
import { mapInWorker } from '../features/map-in-worker.js'
import type { MapLayout } from '../features/map-layout.js'
import { choosePredicates } from '../interp/predicates.js'
import { createTokenLabeller } from '../interp/token-labeller.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, silentProgress } from '../progress/progress.js'
import { decoderNeighbours } from '../sae/decoder-neighbours.js'
import type { Sae } from '../sae/sae.js'
import {
  cosineBetween,
  type Directions,
  idsOf,
  nearestByChance,
  nearestRows,
  stackedRows,
} from './decoder-similarity.js'
import { type JointPass, jointPass } from './joint-pass.js'
import { childrenOf, findParents, type Parents } from './parents.js'
import type { Partners } from './partners.js'
import { requireGrowingSizes } from './require-growing-sizes.js'
import type { SplittingConfig } from './splitting-config.js'
import type { Splitting, SplittingFeature } from './splitting-file.js'
import { type StepMatch, summariseSizes, summariseStep } from './summarise-splitting.js'

/** Autoencoders of growing size on the same activations, and the text that they read. */
export interface SplittingInputs {
  model: Transformer
  corpus: Pick<TokenCorpus, 'validation' | 'tokenizer'>
  /** in any order; `explanations` by feature id, where there are any */
  dictionaries: readonly { sae: Sae; directory: string; explanations?: ReadonlyMap<number, string> }[]
}

/** Smallest cosines of a parent that the counts are given for besides, so that a reader sees what the threshold decides. */
const otherCosines = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]

/** Candidates for parents that are kept for each feature, those of the largest correlation. */
const candidates = 32

/**
 * Feature splitting (Bricken et al. 2023, "Feature Splitting"): which features of a small dictionary become which of a larger one. Every autoencoder
 * reads the same validation text once; then features are matched from size to size (`findParents`), and all of them are clustered and laid out together.
 * @throws MonosemError config (fewer than two, of one size or of other hook points), shape, missing, diverged, interrupted
 */
export async function measureSplitting(
  config: SplittingConfig,
  { model, corpus, dictionaries }: SplittingInputs,
  context: StageContext = { progress: silentProgress },
): Promise<Splitting> {
  const sorted = [...dictionaries].sort((a, b) => a.sae.features - b.sae.features)
  requireGrowingSizes(sorted)
  const saes = sorted.map(({ sae }) => sae)
  const predicates = choosePredicates(config.concepts, config.patterns)
  const { validation: split, tokenizer } = corpus
  const pass = await jointPass(
    {
      ...{ split, startOfText: tokenizer.startOfText, shuffled: true, partners: candidates },
      ...{ tokens: config.tokens, batchWindows: config.batchWindows },
      ...{ minFires: config.minFires, topTokens: config.topTokens },
      columns: saes.map((sae) => ({ kind: 'features', model, sae })),
      pairs: saes.slice(1).map((_, i) => ({ from: i + 1, to: i })),
      marks: predicates.map((predicate) => createTokenLabeller(split, tokenizer, predicate)),
    },
    context,
  )
  const steps: StepMatch[] = []
  for (let i = 0; i + 1 < saes.length; i++) steps.push(await matchStep(config, saes, pass, i, context))
  const map = await layOut(config, saes, pass, context)
  const features = saes.map((_, size) =>
    featuresOfSize({
      size,
      pass,
      steps,
      map,
      tokenText: tokenizer.tokenText,
      explanations: sorted[size].explanations,
    }),
  )
  const { hookName } = saes[0]
  return {
    summary: {
      ...{ hookName, tokens: pass.tokens, clusters: map.layout.clusters },
      thresholds: { cosine: config.minCosine, correlation: config.minCorrelation, fires: config.minFires },
      concepts: predicates.map(({ name }) => name),
      sizes: summariseSizes(
        pass,
        sorted.map(({ directory }) => directory),
      ),
      steps: steps.map((step, i) => summariseStep(step, [features[i], features[i + 1]])),
    },
    features,
  }
}

/** Matches the features of size i + 1 with those of size i. */
async function matchStep(
  config: SplittingConfig,
  saes: readonly Sae[],
  pass: JointPass,
  i: number,
  context: StageContext,
): Promise<StepMatch> {
  const judged = (size: number): Directions => ({ sae: saes[size], counts: pass.columns[size].powered })
  const { matched, shuffled } = pass.pairs[i]
  const evidence = { partners: matched, cosine: await cosineBetween(saes[i + 1], saes[i]) }
  const parentsFrom = (cosine: number): Parents =>
    findParents(evidence, { cosine, correlation: config.minCorrelation })
  const parents = parentsFrom(config.minCosine)
  return {
    parents,
    children: childrenOf(parents, saes[i].features),
    judged: [judged(i).counts, judged(i + 1).counts],
    sensitivity: otherCosines.map((cosine) => ({ cosine, parents: parentsFrom(cosine) })),
    partners: matched,
    chancePartners: shuffled as Partners,
    nearest: await nearestRows(judged(i + 1), judged(i), context),
    chanceNearest: await nearestByChance(judged(i + 1), judged(i), config.seed, context),
  }
}

/** The features that fired, of all sizes, on one map; `rowOf` says where a feature is in it. */
interface JointMap {
  layout: MapLayout
  /** by size, [F]: row of the layout, or -1 */
  rowOf: Int32Array[]
}

async function layOut(
  config: SplittingConfig,
  saes: readonly Sae[],
  pass: JointPass,
  context: StageContext,
): Promise<JointMap> {
  const fired = saes.map((sae, size) => ({
    sae,
    counts: Uint8Array.from(pass.columns[size].fires, (fires) => (fires > 0 ? 1 : 0)),
  }))
  const { kernels } = saes[0]
  const rows = stackedRows(kernels, fired)
  const n = rows.shape[0]
  try {
    const neighbours = await decoderNeighbours(kernels, rows, config.neighbours, context)
    const layout = await mapInWorker({ neighbours, n, options: config }, context)
    let next = 0
    const rowOf = fired.map(({ counts }) => {
      const places = new Int32Array(counts.length).fill(-1)
      for (const id of idsOf(counts)) places[id] = next++
      return places
    })
    return { layout, rowOf }
  } finally {
    kernels.free(rows)
  }
}

interface SizeContext {
  size: number
  pass: JointPass
  steps: readonly StepMatch[]
  map: JointMap
  tokenText: (token: number) => string
  explanations?: ReadonlyMap<number, string>
}

function featuresOfSize({
  size,
  pass,
  steps,
  map,
  tokenText,
  explanations,
}: SizeContext): SplittingFeature[] {
  const { fires, powered } = pass.columns[size]
  return Array.from(fires, (count, feature) => {
    const row = map.rowOf[size][feature]
    const children = steps[size]?.children[feature] ?? []
    return {
      ...{ size, feature, fires: count },
      fate: powered[feature] ? fateOf(size, steps.length, children) : count > 0 ? 'underpowered' : 'dead',
      ...originOf(steps[size - 1], feature, count),
      children,
      cluster: row < 0 ? null : map.layout.cluster[row],
      x: row < 0 ? null : map.layout.x[row],
      y: row < 0 ? null : map.layout.y[row],
      ...tokensOf(pass, size, feature, tokenText),
      concepts: pass.markShares[size].map((shares) => shares[feature]),
      explanation: explanations?.get(feature) ?? null,
    }
  })
}

function fateOf(size: number, last: number, children: readonly number[]): SplittingFeature['fate'] {
  if (size === last) return 'last'
  if (children.length === 0) return 'lost'
  return children.length === 1 ? 'kept' : 'split'
}

type Origin = Pick<
  SplittingFeature,
  | 'parent'
  | 'cosine'
  | 'correlation'
  | 'overlap'
  | 'nearest'
  | 'nearestCosine'
  | 'mostCorrelated'
  | 'bestCorrelation'
>

/** Where a feature comes from. @param step undefined for the smallest dictionary */
function originOf(step: StepMatch | undefined, feature: number, fires: number): Origin {
  const { parents, nearest, partners } = step ?? {}
  const place = feature * (partners?.k ?? 0)
  const parent = known(parents?.parent[feature])
  return {
    parent,
    cosine: known(parents?.cosine[feature]),
    correlation: known(parents?.correlation[feature]),
    overlap: parent === null || !parents ? null : parents.together[feature] / fires,
    nearest: known(nearest?.ids[feature]),
    nearestCosine: nearest && nearest.ids[feature] >= 0 ? nearest.cosines[feature] : null,
    mostCorrelated: known(partners?.ids[place]),
    bestCorrelation: partners && partners.ids[place] >= 0 ? partners.correlations[place] : null,
  }
}

/** An id or a similarity with a parent, which is above 0; null for -1, NaN and nothing. */
const known = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) || value < 0 ? null : value

function tokensOf(pass: JointPass, size: number, feature: number, tokenText: (token: number) => string) {
  const top = pass.topTokens[size]
  const places = Array.from({ length: top?.k ?? 0 }, (_, i) => feature * (top?.k ?? 0) + i)
  const kept = places.filter((place) => top && top.tokens[place] >= 0)
  return {
    tokens: kept.map((place) => tokenText(top?.tokens[place] as number)),
    shares: kept.map((place) => top?.shares[place] as number),
  }
}
