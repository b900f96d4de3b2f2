import type { Communicator } from '../distributed/communicator.js'
import { type Slice, sliceOf } from '../distributed/mesh.js'
import type { Codes } from '../kernels/kernels.js'
import { shardCount, shardFeatures } from './feature-tables.js'
import { placesOf, selectCodes } from './select-codes.js'

/**
 * The features that a rank gathers and writes: those of consecutive files, so that no file is of two ranks. All that is kept about a feature
 * depends on the whole text and on its own activations, so a rank that sees all text keeps what one rank alone would keep, to the bit.
 * With fewer files than ranks some have none.
 */
export interface OwnFeatures extends Slice {
  /** F */
  total: number
  /** [F] place among them of each feature, -1 for those of other ranks; null where one rank has all */
  places: Int32Array | null
}

export function ownFeatures(ranks: Pick<Communicator, 'rank' | 'size'>, total: number): OwnFeatures {
  const shards = sliceOf(shardCount(total), ranks)
  const first = Math.min(total, shards.first * shardFeatures)
  const count = Math.min(total, (shards.first + shards.count) * shardFeatures) - first
  const places = count === total ? null : placesOf(idsOf({ first, count }), total)
  return { first, count, total, places }
}

/** Their numbers among all features. */
export const idsOf = ({ first, count }: Slice): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => first + i)

/** Codes of these features only, by their places. */
export const ownCodes = ({ places }: OwnFeatures, codes: Codes): Codes =>
  places === null ? codes : selectCodes(codes, places)
