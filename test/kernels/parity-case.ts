import type { Kernels, Tensor } from '../../src/kernels/kernels.js'
import { RandomTensors } from './random-tensors.js'

export type Content = Float32Array | Int32Array

/** One operation on seeded inputs; the same case runs on any kernels and its outputs are compared. */
export interface ParityCase {
  /** operation and shapes */
  name: string
  /** largest difference allowed, as a part of the tensor's largest magnitude */
  tolerance: number
  /** magnitude of what cancels out in the outputs, when they may all be much smaller (default 1e-3) */
  floor?: number
  run(kernels: Kernels): Promise<Record<string, Content>>
}

/** Magnitudes below this count as zero when a difference is judged. */
const FLOOR = 1e-3

/** A case whose body enqueues operations on random tensors and names the tensors to compare. */
export function parityCase(
  name: string,
  body: (kernels: Kernels, random: RandomTensors) => Record<string, Tensor>,
  { tolerance = 1e-5, floor = FLOOR }: { tolerance?: number; floor?: number } = {},
): ParityCase {
  return {
    name,
    tolerance,
    floor,
    async run(kernels) {
      const tensors = body(kernels, new RandomTensors(kernels, seedOf(name)))
      return readAll(kernels, tensors)
    },
  }
}

export async function readAll(
  kernels: Kernels,
  tensors: Record<string, Tensor>,
): Promise<Record<string, Content>> {
  const contents: Record<string, Content> = {}
  for (const [name, tensor] of Object.entries(tensors)) contents[name] = await kernels.read(tensor)
  return contents
}

/** A seed from the case's name, so that adding a case leaves the others alone. */
export function seedOf(name: string): number {
  let hash = 17
  for (const letter of name) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0
  return hash
}

/** What differs between two results of one case, one line per tensor; empty when they agree. */
export function differences(
  test: ParityCase,
  expected: Record<string, Content>,
  actual: Record<string, Content>,
): string[] {
  return Object.entries(expected).flatMap(([tensor, want]) => {
    const got = actual[tensor]
    if (got === undefined) return [`${test.name}: ${tensor} is missing`]
    if (got.length !== want.length)
      return [`${test.name}: ${tensor} has ${got.length} values, expected ${want.length}`]
    const { index, difference, scale } = largestDifference(want, got, test.floor ?? FLOOR)
    const limit = want instanceof Int32Array ? 0 : test.tolerance * scale
    if (difference <= limit) return []
    return [
      `${test.name}: ${tensor}[${index}] is ${got[index]}, expected ${want[index]}; ` +
        `largest difference ${difference.toExponential(2)}, allowed ${limit.toExponential(2)}`,
    ]
  })
}

function largestDifference(
  want: Content,
  got: Content,
  floor: number,
): { index: number; difference: number; scale: number } {
  let index = 0
  let difference = 0
  let scale = floor
  for (let i = 0; i < want.length; i++) {
    if (Number.isFinite(want[i])) scale = Math.max(scale, Math.abs(want[i]))
    if (Object.is(want[i], got[i]) || want[i] === got[i]) continue
    const distance = Math.abs(want[i] - got[i])
    // NaN or infinity on one side only
    const gap = Number.isFinite(distance) ? distance : Number.POSITIVE_INFINITY
    if (gap > difference) [index, difference] = [i, gap]
  }
  return { index, difference, scale }
}

/** The first value whose bits differ, as a line; null when both results are bit-identical. */
export function firstBitDifference(
  test: ParityCase,
  one: Record<string, Content>,
  other: Record<string, Content>,
): string | null {
  for (const [tensor, a] of Object.entries(one)) {
    const b = other[tensor]
    const bitsA = new Int32Array(a.buffer, a.byteOffset, a.length)
    const bitsB = new Int32Array(b.buffer, b.byteOffset, b.length)
    const index = a.length === b.length ? bitsA.findIndex((bits, i) => bits !== bitsB[i]) : 0
    if (index >= 0) return `${test.name}: ${tensor}[${index}] is ${a[index]} and ${b[index]}`
  }
  return null
}
