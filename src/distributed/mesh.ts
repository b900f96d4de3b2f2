import { MonosemError } from '../errors/monosem-error.js'
import { type Communicator, singleRank } from './communicator.js'

/**
 * How R ranks share the training of one autoencoder: a grid of featureRanks x dataRanks. Ranks in one row of the grid have the same tokens and different
 * features; those in one column the same features and different tokens.
 */
export interface Mesh {
  /** all of them */
  world: Communicator
  /** those with the same tokens; `features.rank` says which features are ours */
  features: Communicator
  /** those with the same features; `data.rank` says which tokens are ours */
  data: Communicator
}

/** One process. */
export const singleMesh: Mesh = { world: singleRank, features: singleRank, data: singleRank }

/**
 * Arranges ranks in a grid: rank r has features r mod featureRanks and tokens floor(r / featureRanks), so that ranks on one node, which are numbered
 * one after the other, share features: they talk most.
 * @throws MonosemError config: the grid has not as many places as there are ranks
 */
export async function createMesh(
  world: Communicator,
  { featureRanks, dataRanks }: { featureRanks?: number; dataRanks?: number },
): Promise<Mesh> {
  const columns = featureRanks ?? Math.max(1, Math.floor(world.size / (dataRanks ?? 1)))
  const rows = dataRanks ?? Math.max(1, Math.floor(world.size / columns))
  if (columns * rows !== world.size)
    throw new MonosemError(
      'config',
      `expected --feature-ranks x --data-ranks to be the ${world.size} rank${world.size > 1 ? 's' : ''} of this job, got ${columns} x ${rows}`,
      { hint: `start it with mpirun -n ${columns * rows}, or change one of the two` },
    )
  if (world.size === 1) return singleMesh
  const row = Math.floor(world.rank / columns)
  return { world, features: await world.split(row), data: await world.split(world.rank % columns) }
}

/** A stretch of features, rows or shards. */
export interface Slice {
  first: number
  count: number
}

/** Which of `total` things, one after the other, belong to a rank: every rank gets the same number, the first `total` mod R one more. */
export function sliceOf(total: number, { rank, size }: Pick<Communicator, 'rank' | 'size'>): Slice {
  const [least, more] = [Math.floor(total / size), total % size]
  return { first: rank * least + Math.min(rank, more), count: least + (rank < more ? 1 : 0) }
}
