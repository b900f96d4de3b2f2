import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { randomizeConfigSchema } from '../model/randomize-config.js'
import { randomizeModel } from '../model/randomize-model.js'
import { readStageJson } from '../storage/open-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'

/** `monosem model randomize` */
export function addRandomize(model: Command): void {
  const command = addCommand(
    model,
    'randomize',
    {
      description:
        'Make a model directory of the same architecture without what training taught it: weights shuffled, drawn anew or initialised. ' +
        'Every other command works on it, which makes it a control for anything that was found in the trained model.',
      example: 'monosem model randomize --run runs/demo --method shuffle --out runs/shuffled/model',
    },
    async (session, command) => {
      const paths = readPaths(command, ['model'], 'model-randomized')
      const config = readFlags(command, randomizeConfigSchema)
      const context = { ...session.context, kernels: await session.kernels() }
      const result = await randomizeModel(config, paths, context)
      const metrics = await readStageJson<Record<string, Json>>(result.directory, 'model', 'metrics.json')
      return {
        json: { ...result, ...config, ...metrics },
        text: `${madeOrReused(result)}\n${renderJson({ ...config, ...metrics })}`,
      }
    },
  )
  addFlags(addPaths(command, ['model'], 'model-randomized'), randomizeConfigSchema)
}
