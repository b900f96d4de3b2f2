import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { importConfigSchema } from '../model/import-config.js'
import { importModel } from '../model/import-model.js'
import { readStageJson } from '../storage/open-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'

/** `monosem model import` */
export function addImport(model: Command): void {
  const command = addCommand(
    model,
    'import <source>',
    {
      description:
        'Make a model directory from a Hugging Face checkpoint (a directory, or a name on the hub), so that every other command works on it.',
      example: 'monosem model import EleutherAI/pythia-70m-deduped --run runs/pythia',
    },
    async (session, command) => {
      const { out } = readPaths(command, [], 'model')
      const { offline } = command.opts<{ offline?: boolean }>()
      const context = { ...session.context, kernels: await session.kernels(), ...(offline && { offline }) }
      const config = readFlags(command, importConfigSchema)
      const result = await importModel(config, { source: command.args[0], out }, context)
      const sizes = await readStageJson<Record<string, Json>>(result.directory, 'model', 'model.json')
      const metrics = await readStageJson<Record<string, Json>>(result.directory, 'model', 'metrics.json')
      return {
        json: { ...result, ...sizes, ...metrics },
        text: `${madeOrReused(result)}\n${renderJson({ ...sizes, ...metrics })}`,
      }
    },
  )
  addFlags(addPaths(command, [], 'model'), importConfigSchema).option(
    '--offline',
    'take what the cache of the hub has and never ask the network',
  )
}
