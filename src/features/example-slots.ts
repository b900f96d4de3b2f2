import type { Codes } from '../kernels/kernels.js'
import type { TokenRange } from './context.js'

/** Room for a fixed number of examples; the sizes do not grow with the text. */
export interface ExampleSlots {
  /** longest context */
  width: number
  /** [slots] index in the split of the token that the example is about */
  token: Int32Array
  /** [slots] the feature's activation there */
  activation: Float32Array
  /** [slots] context: first token and one past the last */
  first: Int32Array
  end: Int32Array
  /** [slots, width] the feature's activations over the context */
  context: Float32Array
}

export function createExampleSlots(slots: number, width: number): ExampleSlots {
  return {
    width,
    token: new Int32Array(slots),
    activation: new Float32Array(slots),
    first: new Int32Array(slots),
    end: new Int32Array(slots),
    context: new Float32Array(slots * width),
  }
}

/** Codes of the text positions of a stretch of the split, with the way back from a token to its row. */
export interface CodedStretch {
  codes: Codes
  /** index in the split of position 0 */
  firstToken: number
  /** row of the codes that position i has, -1 for <|endoftext|> */
  rowOf: Int32Array
}

/** Writes an example into a slot, with the feature's activations over its context. */
export function fillSlot(
  slots: ExampleSlots,
  slot: number,
  example: { feature: number; token: number; activation: number; range: TokenRange },
  stretch: CodedStretch,
): void {
  const { first, end } = example.range
  slots.token[slot] = example.token
  slots.activation[slot] = example.activation
  slots.first[slot] = first
  slots.end[slot] = end
  for (let i = first; i < end; i++) {
    const row = stretch.rowOf[i - stretch.firstToken]
    slots.context[slot * slots.width + i - first] =
      row < 0 ? 0 : activationOf(stretch.codes, row, example.feature)
  }
}

/** The activation of one feature in one row of codes: binary search, since ids ascend within a row. */
export function activationOf(codes: Codes, row: number, feature: number): number {
  let low = codes.rowOffsets[row]
  let high = codes.rowOffsets[row + 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    const id = codes.featureIds[middle]
    if (id === feature) return codes.values[middle]
    if (id < feature) low = middle + 1
    else high = middle
  }
  return 0
}

/** An example on its way to the table. */
export interface Example {
  token: number
  activation: number
  range: TokenRange
  /** over the context */
  activations: Float32Array
}

/** Copies an example out of its slot. */
export function readSlot(slots: ExampleSlots, slot: number): Example {
  const range = { first: slots.first[slot], end: slots.end[slot] }
  const start = slot * slots.width
  return {
    token: slots.token[slot],
    activation: slots.activation[slot],
    range,
    activations: slots.context.slice(start, start + range.end - range.first),
  }
}
