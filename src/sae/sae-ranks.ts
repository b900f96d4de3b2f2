import { type Mesh, sliceOf } from '../distributed/mesh.js'
import type { SaeRanks } from '../kernels/kernels.js'

/**
 * Which features of an autoencoder and which tokens of a batch this rank of a mesh has, for the kernels; undefined where it has all of them.
 * @param gradients what gradients cross in between ranks with the same features, see `SaeRanks`
 */
export function saeRanksOf(
  { features, data }: Mesh,
  totalFeatures: number,
  totalRows: number,
  gradients?: SaeRanks['gradients'],
): SaeRanks | undefined {
  if (features.size * data.size === 1) return undefined
  return {
    features: features.exchange,
    data: data.exchange,
    firstFeature: sliceOf(totalFeatures, features).first,
    totalFeatures,
    firstRow: sliceOf(totalRows, data).first,
    totalRows,
    ...(gradients && { gradients }),
  }
}
