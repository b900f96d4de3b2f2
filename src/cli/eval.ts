import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { evalConfigSchema } from '../eval/eval-config.js'
import { readEvalReport, runEvalStage } from '../eval/eval-stage.js'
import { renderEval } from '../eval/render-eval.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'

/** `monosem eval` */
export function addEval(program: Command): void {
  const command = addCommand(
    program,
    'eval',
    {
      description:
        'Measure an autoencoder on validation text: sparsity, reconstruction, and how much of the loss it recovers.',
      example: 'monosem eval --run runs/demo --tokens 1_000_000 --out runs/demo/eval-long',
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model', 'sae'], 'eval')
      const config = readFlags(command, evalConfigSchema)
      const result = await runEvalStage(config, paths, {
        ...session.context,
        kernels: await session.kernels(),
      })
      const report = await readEvalReport(result.directory)
      return {
        json: { ...result, ...(report as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderEval(report)}`,
      }
    },
  )
  addFlags(addPaths(command, ['corpus', 'model', 'sae'], 'eval'), evalConfigSchema)
}
