import type { TokenSplit } from '../corpus/corpus.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, silentProgress } from '../progress/progress.js'
import type { Sae } from '../sae/sae.js'
import { type Columns, widthOf } from './columns.js'
import { documentHalves } from './document-halves.js'
import { type JointPass, jointPass } from './joint-pass.js'
import { freeLogitDirections, type LogitDirections, logitDirections } from './logit-directions.js'
import {
  type BestColumns,
  bestByLogitWeights,
  type LogitSimilarity,
  logitSimilarity,
} from './logit-similarity.js'
import { type ColumnPairs, type MeasurePairsOptions, measurePairs, type PairSums } from './measure-pairs.js'
import type { ColumnBatch } from './read-columns.js'
import { addStrongest, createStrongestTokens, type StrongestTokens } from './strongest-tokens.js'
import type { UniversalityConfig } from './universality-config.js'
import type { Comparison } from './universality-file.js'

/** A dictionary on its own model. */
export interface DictionaryOnModel {
  model: Transformer
  sae: Sae
}

export interface UniversalityInputs {
  a: DictionaryOnModel
  b: DictionaryOnModel
  split: TokenSplit
  startOfText: number
}

/** Places in the lists of column sets. */
export const sets = { a: 0, neuronsOfA: 1, b: 2, neuronsOfB: 3 } as const

/** What is compared with what; places in the lists of pairs. B's features look for partners among A's last. */
export const comparisons = ['features', 'neurons', 'featuresToNeurons', 'backwards'] as const
const ends: Record<(typeof comparisons)[number], { from: number; to: number }> = {
  features: { from: sets.a, to: sets.b },
  neurons: { from: sets.neuronsOfA, to: sets.neuronsOfB },
  featuresToNeurons: { from: sets.a, to: sets.neuronsOfB },
  backwards: { from: sets.b, to: sets.a },
}

/** Everything that was measured, before it is summed up. */
export interface MeasuredUniversality {
  columns: readonly Columns[]
  /** the half of the documents that partners were chosen on, and what the pass over it found */
  chosen: JointPass
  /** the other half, where features of A and B are strongest on it, and T of the pass that found that */
  heldOutSplit: TokenSplit
  strongest: { a: StrongestTokens; b: StrongestTokens }
  contextLength: number
  /** the pairs of the pass (first partners only), and their sums over the other half */
  pairs: ColumnPairs[]
  heldOut: PairSums
  logitWeights: MeasuredLogitWeights | null
  noLogitWeights: string | null
}

export interface MeasuredLogitWeights {
  best: Record<Comparison | 'backwards', BestColumns>
  /** columns that could be partners */
  candidates: Record<Comparison, number>
  /** of the features of A with those of B */
  similarity: LogitSimilarity
}

/** Tokens of the vocabulary kept for each feature. */
const topTokens = 6

/** Texts kept for each feature. */
const textsShown = 3

/** Groups of documents for the bootstrap: enough for an interval, few enough to keep. */
const maximumGroups = 64

/**
 * Universality (Bricken et al. 2023, "Towards Monosemanticity", section "Universality"): for each feature of one dictionary its most similar feature
 * of another, trained on another model, by activations over the same tokens and by logit weights. Beside it the same for neurons, for the
 * features of one model and the neurons of the other, and for text (or a vocabulary) that does not match.
 * @throws MonosemError shape, missing (an autoencoder does not fit its model), config (other vocabularies, or too little text), diverged (NaN in the
 *   activations), interrupted
 */
export async function measureUniversality(
  config: UniversalityConfig,
  inputs: UniversalityInputs,
  context: StageContext = { progress: silentProgress },
): Promise<MeasuredUniversality> {
  const { a, b, startOfText } = inputs
  const columns: Columns[] = [a, b].flatMap(({ model, sae }): Columns[] => [
    { kind: 'features', model, sae },
    { kind: 'neurons', model, hookName: sae.hookName },
  ])
  const halves = documentHalves(inputs.split)
  requireDocuments(halves)
  const text = {
    columns,
    startOfText,
    tokens: Math.ceil(config.tokens / 2),
    batchWindows: config.batchWindows,
  }
  const chosen = await jointPass(
    {
      ...{ ...text, split: halves[0], minFires: config.minFires, topTokens },
      ...{ pairs: comparisons.map((name) => ({ ...ends[name], shuffled: name === 'features' })) },
      ...{ partners: 1, shuffled: false },
    },
    context,
  )
  return {
    ...{ columns, chosen },
    ...(await measureHeldOut(chosen, { ...text, split: halves[1] }, context)),
    ...(await measureLogitWeights(columns, chosen, config.bootstrapSeed)),
  }
}

/** The chosen pairs once more, on the other half of the documents. */
async function measureHeldOut(
  chosen: JointPass,
  text: Omit<MeasurePairsOptions, 'pairs' | 'groups'>,
  context: StageContext,
): Promise<Pick<MeasuredUniversality, 'heldOutSplit' | 'strongest' | 'contextLength' | 'pairs' | 'heldOut'>> {
  const { columns, split } = text
  const contextLength = Math.min(...columns.map(({ model }) => model.config.context))
  const [a, b] = [sets.a, sets.b].map((set) =>
    createStrongestTokens(widthOf(columns[set]), textsShown, contextLength),
  )
  const visit = (batch: ColumnBatch): void => {
    addStrongest(a, batch, sets.a)
    addStrongest(b, batch, sets.b)
  }
  const pairs = comparisons.map((name, p) => ({ ...ends[name], partners: chosen.pairs[p].matched.ids }))
  const groups = Math.min(maximumGroups, split.documentStarts.length)
  const heldOut = await measurePairs({ ...text, pairs, groups, visit }, context)
  return { heldOutSplit: split, strongest: { a, b }, contextLength, pairs, heldOut }
}

function requireDocuments(halves: readonly TokenSplit[]): void {
  const documents = halves.reduce((sum, { documentStarts }) => sum + documentStarts.length, 0)
  if (documents < 4)
    throw new MonosemError(
      'config',
      `universality: expected at least 4 documents, on half of which partners are chosen, got ${documents}`,
      { hint: 'choose --split train, or build the corpus from more documents' },
    )
}

async function measureLogitWeights(
  columns: readonly Columns[],
  { columns: statistics }: JointPass,
  seed: number,
): Promise<Pick<MeasuredUniversality, 'logitWeights' | 'noLogitWeights'>> {
  const { kernels } = columns[0].model
  const all = await Promise.all(columns.map(logitDirections))
  const free = (): void => {
    for (const made of all) if (made) freeLogitDirections(kernels, made)
  }
  const [a, neuronsOfA, b, neuronsOfB] = all
  if (!a || !neuronsOfA || !b || !neuronsOfB) {
    free()
    const without = columns[all.indexOf(null)]
    const hook = without.kind === 'features' ? without.sae.targetHookName : without.hookName
    return { logitWeights: null, noLogitWeights: `${hook} does not write to the residual stream` }
  }
  const powered = (set: number): Uint8Array => statistics[set].powered
  const best = async (
    { from, to }: { from: number; to: number },
    similarity: LogitSimilarity,
  ): Promise<BestColumns> => bestByLogitWeights(kernels, similarity, powered(from), powered(to))
  const compare = (from: LogitDirections, to: LogitDirections, shuffle: number | null = null) =>
    logitSimilarity(kernels, from, to, shuffle)
  const similarity = await compare(a, b)
  const found = {
    features: await best(ends.features, similarity),
    shuffled: await best(ends.features, await compare(a, b, seed)),
    neurons: await best(ends.neurons, await compare(neuronsOfA, neuronsOfB)),
    featuresToNeurons: await best(ends.featuresToNeurons, await compare(a, neuronsOfB)),
    backwards: await best(ends.backwards, await compare(b, a)),
  }
  free()
  const count = (set: number): number => powered(set).reduce((sum, is) => sum + is, 0)
  const candidates = {
    ...{ features: count(sets.b), shuffled: count(sets.b) },
    ...{ neurons: count(sets.neuronsOfB), featuresToNeurons: count(sets.neuronsOfB) },
  }
  return { logitWeights: { best: found, candidates, similarity }, noLogitWeights: null }
}
