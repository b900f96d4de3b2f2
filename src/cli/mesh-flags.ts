import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { singleRank } from '../distributed/communicator.js'
import { createMesh } from '../distributed/mesh.js'
import type { TrainContext } from '../sae/train-together.js'
import type { Session } from './session.js'

/** How ranks share the training of an autoencoder. Not part of what is trained: a run may go on with other numbers. */
const meshSchema = z.strictObject({
  featureRanks: z
    .int()
    .positive()
    .optional()
    .describe(
      'with mpirun or srun: ranks that share the features (default: all ranks, divided by --data-ranks)',
    ),
  dataRanks: z
    .int()
    .positive()
    .optional()
    .describe('with mpirun or srun: groups of such ranks that share the tokens of a batch (default: 1)'),
  exchangeGradients: z
    .enum(['f32', 'bf16'])
    .default('f32')
    .describe('with several data ranks: number format in which they exchange gradients'),
})

/** Adds `--feature-ranks`, `--data-ranks` and `--exchange-gradients`. */
export const addMeshFlags = (command: Command): Command => addFlags(command, meshSchema)

/** What they ask for, and the session's context. @throws MonosemError config: the mesh does not have as many places as there are ranks */
export async function trainContext({ context }: Session, command: Command): Promise<TrainContext> {
  const { exchangeGradients, ...shape } = readFlags(command, meshSchema)
  const mesh = await createMesh(context.ranks ?? singleRank, shape)
  return { ...context, mesh, gradients: exchangeGradients }
}
