/** A growing set of token pairs, each with a dense index 0, 1, 2, ... in order of insertion (open addressing). */
export interface PairMap {
  size: number
  /** left and right token of pair i */
  left: Int32Array
  right: Int32Array
  /** hash slots holding index + 1, or 0; a power of two, at most half full */
  slots: Int32Array
}

/** An empty set with room for `capacity` pairs before it grows. */
export function createPairMap(capacity: number): PairMap {
  let slots = 16
  while (slots < capacity * 2) slots *= 2
  return {
    size: 0,
    left: new Int32Array(slots / 2),
    right: new Int32Array(slots / 2),
    slots: new Int32Array(slots),
  }
}

/** Index of a pair, or -1. */
export function findPair(map: PairMap, left: number, right: number): number {
  return (map.slots[slotOf(map, left, right)] as number) - 1
}

/** Index of a pair, which is added when it is not there. */
export function addPair(map: PairMap, left: number, right: number): number {
  let slot = slotOf(map, left, right)
  const found = map.slots[slot] as number
  if (found !== 0) return found - 1
  if (map.size === map.left.length) {
    grow(map)
    slot = slotOf(map, left, right)
  }
  map.left[map.size] = left
  map.right[map.size] = right
  map.slots[slot] = map.size + 1
  return map.size++
}

/** The slot that holds the pair, or the empty one where it belongs. */
function slotOf(map: PairMap, left: number, right: number): number {
  const { slots, left: lefts, right: rights } = map
  const mask = slots.length - 1
  let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
  hash ^= hash >>> 15
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const entry = slots[slot] as number
    if (entry === 0 || (lefts[entry - 1] === left && rights[entry - 1] === right)) return slot
  }
}

function grow(map: PairMap): void {
  const { left, right, size } = map
  map.left = new Int32Array(left.length * 2)
  map.right = new Int32Array(left.length * 2)
  map.left.set(left)
  map.right.set(right)
  map.slots = new Int32Array(map.slots.length * 2)
  for (let i = 0; i < size; i++) map.slots[slotOf(map, left[i] as number, right[i] as number)] = i + 1
}
