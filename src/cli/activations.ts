import type { Command } from 'commander'
import { openActivations } from '../activations/activation-store.js'
import { harvestConfigSchema } from '../activations/harvest-config.js'
import { runHarvestStage } from '../activations/harvest-stage.js'
import { addFlags, readFlags } from '../config/flags.js'
import { addCommand } from './command.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'

/** `monosem activations harvest` */
export function addActivations(program: Command): void {
  const activations = program
    .command('activations')
    .description('activations of a model on disk, to train autoencoders on')
  const harvest = addCommand(
    activations,
    'harvest',
    {
      description:
        'Run a model over the text of a corpus and store what it computes at some hook points, as shards of safetensors. ' +
        'Interrupted, the same command goes on after the last whole shard.',
      example:
        'monosem activations harvest --run runs/demo --hook blocks.0.hook_resid_mid blocks.0.hook_mlp_out --dtype bf16',
      ranks: true,
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model'], 'activations')
      const config = readFlags(command, harvestConfigSchema)
      const kernels = await session.kernels()
      const result = await runHarvestStage(config, paths, { ...session.context, kernels })
      const { info } = await openActivations(result.directory)
      const { hooks, shardRows, ...figures } = info
      const counts = { ...figures, shards: shardRows.length }
      return {
        json: { ...result, ...info },
        text: `${madeOrReused(result)}\n${renderJson(counts)}\n  ${hooks.map(({ name, width }) => `${name} [${width}]`).join('\n  ')}`,
      }
    },
  )
  addFlags(addPaths(harvest, ['corpus', 'model'], 'activations'), harvestConfigSchema)
}
