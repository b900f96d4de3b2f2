import type { EncodedBatch } from '../eval/encoded-windows.js'
import type { Kernels } from '../kernels/kernels.js'
import { countCoActivation } from './co-activation.js'
import { addCodeRow, type CodeChunks, createCodeChunks, emptyChunk, entriesPerChunk } from './code-chunks.js'
import { addNeurons, createNeuronSums, type NeuronSums } from './neurons.js'
import { createPairTable, freePairTable, type PairTable } from './pair-table.js'
import { countTokens, type TokenCounts } from './token-counts.js'

/** What one pass over text gathers about features together with something else: tokens, each other, and neurons. */
export interface JointStatistics {
  kernels: Kernels
  /** codes that the counts below do not hold yet */
  chunks: CodeChunks
  tokenCounts: TokenCounts
  /** (feature, feature): tokens on which both fire, and the sum of f_i f_j */
  coActivation: PairTable
  neurons: NeuronSums
}

/**
 * @param sizes F, V and D; `pairs` bounds each table of pairs, see `createPairTable`, and `entries` the codes of a chunk
 */
export function createJointStatistics(
  kernels: Kernels,
  sizes: { features: number; vocabulary: number; d: number; pairs?: number; entries?: number },
): JointStatistics {
  const { features, vocabulary, d, pairs, entries = entriesPerChunk(features) } = sizes
  return {
    kernels,
    chunks: createCodeChunks(entries),
    tokenCounts: {
      occurrences: new Uint32Array(vocabulary),
      pairs: createPairTable(kernels, features, vocabulary, 'sum', pairs),
    },
    coActivation: createPairTable(kernels, features, features, 'count', pairs),
    neurons: createNeuronSums(kernels, features, d),
  }
}

/** Adds a batch of encoded windows, which must hold the activations. `finishJoint` has to follow the last. */
export function addJoint(joint: JointStatistics, { batch, rows, codes, activations }: EncodedBatch): void {
  addNeurons(joint.neurons, codes, activations as Float32Array)
  for (let row = 0; row < rows.length; row++)
    if (addCodeRow(joint.chunks, codes, row, batch.tokens[rows[row]])) countChunk(joint)
}

/** Counts what is left of the last chunk. */
export function finishJoint(joint: JointStatistics): void {
  if (joint.chunks.chunk.rows > 0) countChunk(joint)
}

function countChunk({ chunks, tokenCounts, coActivation }: JointStatistics): void {
  countTokens(tokenCounts, chunks.chunk)
  countCoActivation(coActivation, chunks.chunk)
  emptyChunk(chunks)
}

/** Gives the kernels' memory back. */
export function freeJoint({ kernels, tokenCounts, coActivation, neurons }: JointStatistics): void {
  freePairTable(tokenCounts.pairs)
  freePairTable(coActivation)
  kernels.free(neurons.products)
}
