import { type RankStep, sentBytes, stepExchanges } from './step-exchanges.js'
import { type TrainingMemory, type TrainingShape, trainingMemory } from './training-cost.js'

/** Features sharded over ranks: each holds F / R of them, encoder row, decoder row and moments, and sees every token. */
export interface RankSplit {
  ranks: number
  /** F / R, rounded up */
  features: number
  /** 2 D F / R, and biases */
  parameters: number
  /** of one rank */
  memory: TrainingMemory
  /** bytes that one rank sends in a step, see `stepExchanges`; `monosem scaling plan` goes into meshes and times */
  bytesPerStep: number
  /** the same if the ranks shared the tokens instead, and exchanged gradients */
  dataParallelBytesPerStep: number
}

/** @param byCount whether the K largest activations of all features are kept */
export function splitOverRanks(shape: TrainingShape, ranks: number, byCount: boolean): RankSplit {
  const { d, features, active, batchSize, prefixes = 1 } = shape
  const own = Math.ceil(features / ranks)
  const share = { ...shape, features: own, active: Math.min(own, active) }
  const memory = trainingMemory(share)
  const sent = (mesh: Pick<RankStep, 'featureRanks' | 'dataRanks'>): number => {
    const common = { architecture: byCount ? 'topk' : 'relu', gradients: 'f32' as const }
    return sentBytes(stepExchanges({ ...common, ...mesh, d, features, k: active, batchSize, prefixes })).total
  }
  return {
    ranks,
    features: own,
    parameters: memory.parameters / 4,
    memory,
    bytesPerStep: sent({ featureRanks: ranks, dataRanks: 1 }),
    dataParallelBytesPerStep: sent({ featureRanks: 1, dataRanks: ranks }),
  }
}

/**
 * The smallest power of two of ranks with which a rank's memory suffices, checkpoints included; null when not even one feature on each would fit.
 * @param bytes memory of one rank
 */
export function ranksFor(shape: TrainingShape, bytes: number, byCount: boolean): RankSplit | null {
  for (let ranks = 1; ranks <= shape.features; ranks *= 2) {
    const split = splitOverRanks(shape, ranks, byCount)
    if (split.memory.total + split.memory.checkpoint <= bytes) return split
  }
  return null
}
