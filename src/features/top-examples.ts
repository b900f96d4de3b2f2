import type { TokenSplit } from '../corpus/corpus.js'
import { type ContextShape, contextRange, sameTokens } from './context.js'
import {
  type CodedStretch,
  createExampleSlots,
  type Example,
  type ExampleSlots,
  fillSlot,
  readSlot,
} from './example-slots.js'

/** The k largest activations of each feature, with no context twice. */
export interface TopExamples {
  k: number
  shape: ContextShape
  /** [F] how many each feature has */
  count: Int32Array
  /** [F, k] slots of a feature's examples, largest activation first */
  order: Int32Array
  slots: ExampleSlots
}

export function createTopExamples(features: number, k: number, shape: ContextShape): TopExamples {
  return {
    k,
    shape,
    count: new Int32Array(features),
    order: Int32Array.from({ length: features * k }, (_, i) => i),
    slots: createExampleSlots(features * k, shape.before + 1 + shape.after),
  }
}

/**
 * Keeps an activation (of a feature, on a token of the split) when it is among the k largest of its feature.
 * Of examples with identical context only the one with the larger activation stays; among equals the first
 * that came.
 */
export function offerTopExample(
  top: TopExamples,
  split: TokenSplit,
  feature: number,
  activation: number,
  token: number,
  stretch: CodedStretch,
): void {
  const { k, count, order, slots } = top
  const base = feature * k
  const full = count[feature] === k
  if (k === 0 || (full && activation <= slots.activation[order[base + k - 1]])) return
  const range = contextRange(split, top.shape, token)
  // Where the place comes from: an identical context, a free slot, or the smallest example.
  let from = full ? k - 1 : count[feature]
  for (let i = 0; i < count[feature]; i++) {
    const other = { first: slots.first[order[base + i]], end: slots.end[order[base + i]] }
    if (!sameTokens(split, range, other)) continue
    if (slots.activation[order[base + i]] >= activation) return
    from = i
    break
  }
  if (from === count[feature]) count[feature]++
  const slot = order[base + from]
  fillSlot(slots, slot, { feature, token, activation, range }, stretch)
  while (from > 0 && slots.activation[order[base + from - 1]] < activation) {
    order[base + from] = order[base + from - 1]
    from--
  }
  order[base + from] = slot
}

/** A feature's examples, largest activation first. */
export function topExamplesOf(top: TopExamples, feature: number): Example[] {
  return Array.from({ length: top.count[feature] }, (_, i) =>
    readSlot(top.slots, top.order[feature * top.k + i]),
  )
}
