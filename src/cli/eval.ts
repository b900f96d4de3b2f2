import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { readComparison, runCompareStage } from '../eval/compare-evals.js'
import { evalConfigSchema } from '../eval/eval-config.js'
import { readEvalReport, runEvalStage } from '../eval/eval-stage.js'
import { renderComparison } from '../eval/render-comparison.js'
import { renderEval } from '../eval/render-eval.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'
import { addSaeSource, readSaeSource, requiredOption } from './sae-files.js'

/** `monosem eval` and `monosem eval compare` */
export function addEval(program: Command): void {
  const command = addCommand(
    program,
    'eval',
    {
      description:
        'Measure an autoencoder on validation text: sparsity, reconstruction, and how much of the loss it recovers, with intervals. ' +
        '--sae may also be an autoencoder of another program, on the disk or on the Hugging Face hub.',
      example: 'monosem eval --run runs/demo --tokens 1_000_000 --out runs/demo/eval-long',
      ranks: true,
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model', 'sae'], 'eval')
      const config = readFlags(command, evalConfigSchema)
      const context = { ...session.context, kernels: await session.kernels() }
      const result = await runEvalStage(config, paths, context, readSaeSource(session, command))
      const report = await readEvalReport(result.directory)
      return {
        json: { ...result, ...(report as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderEval(report)}`,
      }
    },
  )
  addFlags(addSaeSource(addPaths(command, ['corpus', 'model', 'sae'], 'eval')), evalConfigSchema)
  addCompare(command)
}

function addCompare(evaluation: Command): void {
  addCommand(
    evaluation,
    'compare',
    {
      description:
        'Put finished evaluations of one hook point side by side: the table, the frontiers of L0 with loss recovered and explained variance, densities.',
      example: 'monosem eval compare runs/demo/eval runs/demo/eval-topk --out runs/demo/comparison',
    },
    async (_session, command) => {
      // `eval` has --out too, and takes it wherever it stands.
      const out = requiredOption(evaluation, 'out', 'a directory to write')
      const result = await runCompareStage(command.args, out)
      const comparison = await readComparison(result.directory)
      return {
        json: { ...result, ...(comparison as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderComparison(comparison)}`,
      }
    },
  )
    .argument('[directories...]', 'directories that `monosem eval` wrote, two or more')
    .option('--out <dir>', 'directory to write')
}
