import { singleRank } from '../distributed/communicator.js'
import { type Mesh, type Slice, sliceOf } from '../distributed/mesh.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { SaeRanks } from '../kernels/kernels.js'
import type { ResolvedSaeConfig } from './sae-config.js'

/** One rank's part in the training of an autoencoder. */
export interface SaeShare {
  mesh: Mesh
  /** its features: rows of the parameters, of their moments and of `tokensSinceFired` */
  slice: Slice
}

/** @param features F, of the whole autoencoder */
export const shareOf = (mesh: Mesh, features: number): SaeShare => ({
  mesh,
  slice: sliceOf(features, mesh.features),
})

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

/** The same where every rank has all tokens of a batch, as when an autoencoder is measured. */
export const ranksOfFeatures = (mesh: Mesh, totalFeatures: number, totalRows: number): SaeRanks | undefined =>
  saeRanksOf({ ...mesh, data: singleRank }, totalFeatures, totalRows)

/** @throws MonosemError config: there are ranks that would have no features, or no tokens */
export function requireWorkForAll(mesh: Mesh, { features, batchSize }: ResolvedSaeConfig): void {
  if (features < mesh.features.size)
    throw new MonosemError(
      'config',
      `sae: expected at least one feature for each of ${mesh.features.size} ranks, got ${features} features`,
      { hint: 'lower --feature-ranks, or raise --features' },
    )
  if (batchSize < mesh.data.size)
    throw new MonosemError(
      'config',
      `sae: expected at least one token of a batch for each of ${mesh.data.size} ranks, got --batch-size ${batchSize}`,
      { hint: 'lower --data-ranks, or raise --batch-size' },
    )
}

/** Says who has how many features, where not all ranks have the same number; null where they do. */
export function unevenNote({ features: { size } }: Mesh, features: number): string | null {
  const more = features % size
  if (more === 0) return null
  const least = Math.floor(features / size)
  return `${features} features on ${size} ranks: ${least + 1} on ${more} of them, ${least} on ${size - more}`
}
