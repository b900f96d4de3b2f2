import type { TokenSplit } from '../corpus/corpus.js'
import { type ContextShape, contextRange } from '../features/context.js'
import {
  activationOf,
  type CodedStretch,
  createExampleSlots,
  type Example,
  type ExampleSlots,
  fillSlot,
  readSlot,
} from '../features/example-slots.js'
import { priorityOf } from '../features/interval-examples.js'

/**
 * A uniform random sample, of fixed size for each unit, of the places that were offered for it. Every (unit, token) has a random priority and
 * the smallest stay, so the result does not depend on the order.
 */
export interface PlaceSamples {
  capacity: number
  shape: ContextShape
  key: number
  /** [U] number of each unit for the random draw */
  ids: Int32Array
  /** [U] */
  count: Int32Array
  /** [U] what a newcomer has to beat: a full sample's largest priority, else 2^32 - 1 */
  threshold: Uint32Array
  /** [U, capacity] */
  priority: Uint32Array
  slots: ExampleSlots
}

/** @param key 32 random bits */
export function createPlaceSamples(
  ids: Int32Array,
  capacity: number,
  shape: ContextShape,
  key: number,
): PlaceSamples {
  const units = ids.length
  return {
    capacity,
    shape,
    key,
    ids,
    count: new Int32Array(units),
    threshold: new Uint32Array(units).fill(capacity > 0 ? 0xffffffff : 0),
    priority: new Uint32Array(units * capacity),
    slots: createExampleSlots(units * capacity, shape.before + 1 + shape.after),
  }
}

/** Offers a place to a unit's sample. @param onlyInactive leave it out where the unit is active on the token */
export function offerPlace(
  samples: PlaceSamples,
  split: TokenSplit,
  unit: number,
  token: number,
  stretch: CodedStretch,
  onlyInactive: boolean,
): void {
  const drawn = priorityOf(samples.key, samples.ids[unit], token)
  if (drawn >= samples.threshold[unit]) return
  const activation = activationOf(stretch.codes, stretch.rowOf[token - stretch.firstToken], unit)
  if (onlyInactive && activation > 0) return
  const { capacity, count, priority, slots } = samples
  const base = unit * capacity
  // The same place may be offered twice, for two reasons.
  for (let i = 0; i < count[unit]; i++) if (slots.token[base + i] === token) return
  let at = count[unit]
  if (at < capacity) count[unit]++
  else for (at = 0; priority[base + at] !== samples.threshold[unit]; ) at++
  priority[base + at] = drawn
  const range = contextRange(split, samples.shape, token)
  fillSlot(slots, base + at, { feature: unit, token, activation, range }, stretch)
  if (count[unit] < capacity) return
  let largest = 0
  for (let i = 0; i < capacity; i++) largest = Math.max(largest, priority[base + i])
  samples.threshold[unit] = largest
}

/** A unit's sample, in random order. */
export function placesOfUnit(samples: PlaceSamples, unit: number): Example[] {
  const base = unit * samples.capacity
  return Array.from({ length: samples.count[unit] }, (_, i) => base + i)
    .sort((a, b) => samples.priority[a] - samples.priority[b])
    .map((slot) => readSlot(samples.slots, slot))
}
