import type { ColumnBatch } from './read-columns.js'

/** Where each feature of a dictionary is most active: the strongest tokens, no two of them in one window. */
export interface StrongestTokens {
  k: number
  /** T */
  contextLength: number
  /** [F, k] place in the split, strongest first; -1 where it fired in fewer windows */
  positions: Int32Array
  /** [F, k] */
  activations: Float32Array
}

export function createStrongestTokens(features: number, k: number, contextLength: number): StrongestTokens {
  const size = features * k
  return {
    ...{ k, contextLength },
    positions: new Int32Array(size).fill(-1),
    activations: new Float32Array(size),
  }
}

/** Adds a batch. @param set place of the dictionary among the batch's column sets */
export function addStrongest(
  strongest: StrongestTokens,
  { positions, values }: ColumnBatch,
  set: number,
): void {
  const held = values[set]
  if (held.kind === 'neurons') return
  const { rowOffsets, featureIds, values: activations } = held.codes
  for (let row = 0; row < positions.length; row++)
    for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++)
      keep(strongest, featureIds[e], positions[row], activations[e])
}

function keep(strongest: StrongestTokens, feature: number, position: number, activation: number): void {
  const { k, contextLength, positions, activations } = strongest
  const [base, end] = [feature * k, feature * k + k]
  if (k === 0 || activation <= activations[end - 1]) return
  const window = Math.floor(position / contextLength)
  let at = base
  while (at < end - 1 && Math.floor(positions[at] / contextLength) !== window) at++
  // `at` is the place of the same window, or else the last one: what is there gives way if it is weaker
  if (activation <= activations[at]) return
  for (; at > base && activations[at - 1] < activation; at--) {
    positions[at] = positions[at - 1]
    activations[at] = activations[at - 1]
  }
  positions[at] = position
  activations[at] = activation
}
