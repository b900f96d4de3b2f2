import type { Communicator } from '../distributed/communicator.js'
import { type Slice, sliceOf } from '../distributed/mesh.js'
import { allGatherValues } from '../distributed/values.js'
import { selectCodes } from '../features/select-codes.js'
import type { Codes } from '../kernels/kernels.js'

/**
 * The units that a rank gathers. All arrays have room for all units, and a rank fills in its own: what is kept of a unit depends on nothing but the
 * text and its own activations. At the end of the text the ranks give each other theirs (`shareUnits`).
 */
export interface OwnUnits extends Slice {
  /** [U] a unit's own number, or -1 for those of other ranks; null where one rank has all */
  kept: Int32Array | null
}

export function ownUnits(ranks: Pick<Communicator, 'rank' | 'size'>, units: number): OwnUnits {
  const own = sliceOf(units, ranks)
  const kept = Int32Array.from({ length: units }, (_, unit) => (isOwn(own, unit) ? unit : -1))
  return { ...own, kept: ranks.size === 1 ? null : kept }
}

export const isOwn = ({ first, count }: Slice, unit: number): boolean => unit >= first && unit < first + count

/** Codes without the units of other ranks. */
export const ownCodes = ({ kept }: OwnUnits, codes: Codes): Codes =>
  kept === null ? codes : selectCodes(codes, kept)

/** Numbers of U units, one unit after the other. */
export type UnitArray = Float64Array | Float32Array | Int32Array | Uint32Array

/** Copies what each rank has filled in for its own of `units` units into the arrays of all ranks. */
export async function shareUnits(
  ranks: Communicator,
  units: number,
  arrays: readonly UnitArray[],
): Promise<void> {
  if (ranks.size === 1 || units === 0) return
  const part = (array: UnitArray, rank: number): UnitArray => {
    const { first, count } = sliceOf(units, { rank, size: ranks.size })
    const width = array.length / units
    return array.subarray(first * width, (first + count) * width)
  }
  const all = await allGatherValues(
    ranks,
    arrays.map((array) => part(array, ranks.rank)),
  )
  for (const [rank, parts] of all.entries())
    for (const [i, values] of parts.entries()) part(arrays[i], rank).set(values)
}
