import type { Command } from 'commander'
import { baselinesConfigSchema } from '../baselines/baselines-config.js'
import { readBaselinesReport, runBaselines } from '../baselines/baselines-stage.js'
import { renderBaselines } from '../baselines/render-baselines.js'
import { addFlags, readFlags } from '../config/flags.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'

/** `monosem baselines` */
export function addBaselines(program: Command): void {
  const command = addCommand(
    program,
    'baselines',
    {
      description:
        'Measure an autoencoder beside what a good one has to beat: a frozen random decoder, principal components and neurons at the same L0, and the ' +
        'same autoencoder on models without training. Makes what is missing, and says for each headline whether it is beaten.',
      example: 'monosem baselines --run runs/demo',
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model', 'sae'], 'baselines')
      const config = readFlags(command, baselinesConfigSchema)
      const context = { ...session.context, kernels: await session.kernels() }
      const result = await runBaselines(config, paths, context)
      const report = await readBaselinesReport(result.directory)
      return {
        json: { ...result, ...(report as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderBaselines(report)}`,
      }
    },
  )
  addFlags(addPaths(command, ['corpus', 'model', 'sae'], 'baselines'), baselinesConfigSchema)
}
