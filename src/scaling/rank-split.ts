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
  /**
   * bytes that one rank sends and receives in a step: a ring all-reduce of its share of the reconstructions [B, D] (2 (R - 1) / R times 4 B D), and
   * an all-gather of the K candidates of each token (a value and an id each) where the largest of all ranks are wanted. Errors are then the same
   * everywhere, so the gradients of a rank's features need no exchange; b_dec's are D numbers, all-reduced.
   */
  bytesPerStep: number
  /** what data parallelism would exchange instead: an all-reduce of all gradients, f32 */
  dataParallelBytesPerStep: number
}

/** @param byCount whether the K largest activations of all features are kept */
export function splitOverRanks(shape: TrainingShape, ranks: number, byCount: boolean): RankSplit {
  const { d, features, active, batchSize, prefixes = 1 } = shape
  const own = Math.ceil(features / ranks)
  const share = { ...shape, features: own, active: Math.min(own, active) }
  const memory = trainingMemory(share)
  const ring = (bytes: number): number => (2 * (ranks - 1) * bytes) / ranks
  const gather = byCount ? (ranks - 1) * 8 * batchSize * active : 0
  return {
    ranks,
    features: own,
    parameters: memory.parameters / 4,
    memory,
    bytesPerStep: ring(4 * batchSize * d * prefixes + 4 * d) + gather,
    dataParallelBytesPerStep: ring(trainingMemory(shape).parameters),
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
