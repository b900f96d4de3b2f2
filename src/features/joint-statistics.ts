import { singleRank } from '../distributed/communicator.js'
import type { EncodedBatch } from '../eval/encoded-windows.js'
import type { Codes, Kernels } from '../kernels/kernels.js'
import { countCoActivation } from './co-activation.js'
import {
  addCodeRow,
  type CodeChunks,
  codesOf,
  createCodeChunks,
  emptyChunk,
  entriesPerChunk,
} from './code-chunks.js'
import { addNeurons, createNeuronSums, type NeuronSums } from './neurons.js'
import { type OwnFeatures, ownCodes, ownFeatures } from './own-features.js'
import { createPairTable, freePairTable, type PairTable } from './pair-table.js'
import { countTokens, type TokenCounts } from './token-counts.js'

/** What one pass over text gathers about features together with something else: tokens, each other, and neurons. */
export interface JointStatistics {
  kernels: Kernels
  /** the features that it is about; the rows of all tables are theirs */
  own: OwnFeatures
  /** codes of all features that the counts below do not hold yet */
  chunks: CodeChunks
  tokenCounts: TokenCounts
  /** (feature, feature): tokens on which both fire, and the sum of f_i f_j */
  coActivation: PairTable
  neurons: NeuronSums
}

/**
 * @param sizes F, V and D; `own`: the features to gather, default all; `pairs` bounds each table of pairs, see `createPairTable`, and `entries` the codes of a chunk
 */
export function createJointStatistics(
  kernels: Kernels,
  sizes: {
    features: number
    own?: OwnFeatures
    vocabulary: number
    d: number
    pairs?: number
    entries?: number
  },
): JointStatistics {
  const { features, vocabulary, d, pairs, entries = entriesPerChunk(features) } = sizes
  const own = sizes.own ?? ownFeatures(singleRank, features)
  return {
    kernels,
    own,
    chunks: createCodeChunks(entries),
    tokenCounts: {
      occurrences: new Uint32Array(vocabulary),
      pairs: createPairTable(kernels, features, vocabulary, 'sum', pairs, own.count),
    },
    coActivation: createPairTable(kernels, features, features, 'count', pairs, own.count),
    neurons: createNeuronSums(kernels, own.count, d),
  }
}

/**
 * Adds a batch of encoded windows, which must hold the activations. `finishJoint` has to follow the last.
 * @param own the batch's codes of the features that this is about
 */
export function addJoint(
  joint: JointStatistics,
  { batch, rows, codes, activations }: EncodedBatch,
  own: Codes = ownCodes(joint.own, codes),
): void {
  addNeurons(joint.neurons, own, activations as Float32Array)
  for (let row = 0; row < rows.length; row++)
    if (addCodeRow(joint.chunks, codes, row, batch.tokens[rows[row]])) countChunk(joint)
}

/** Counts what is left of the last chunk. */
export function finishJoint(joint: JointStatistics): void {
  if (joint.chunks.chunk.rows > 0) countChunk(joint)
}

function countChunk({ own, chunks, tokenCounts, coActivation }: JointStatistics): void {
  const all = codesOf(chunks.chunk)
  const codes = ownCodes(own, all)
  countTokens(tokenCounts, chunks.chunk, codes)
  countCoActivation(coActivation, codes, all)
  emptyChunk(chunks)
}

/** Gives the kernels' memory back. */
export function freeJoint({ kernels, tokenCounts, coActivation, neurons }: JointStatistics): void {
  freePairTable(tokenCounts.pairs)
  freePairTable(coActivation)
  kernels.free(neurons.products)
}
