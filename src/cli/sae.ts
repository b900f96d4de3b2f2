import type { Command } from 'commander'
import { createLiveSource } from '../activations/live-source.js'
import { addFlags, readFlags } from '../config/flags.js'
import { openCorpus } from '../corpus/corpus.js'
import { loadTransformer } from '../model/model-stage.js'
import { type SaeConfig, saeConfigSchema } from '../sae/sae-config.js'
import { runSaeStage } from '../sae/sae-stage.js'
import type { Json, StageResult } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'
import type { Session } from './session.js'
import { readStageJson } from './stage-json.js'

/** `monosem sae train` */
export function addSae(program: Command): void {
  const sae = program.command('sae').description('sparse autoencoders on the activations of a transformer')
  const train = addCommand(
    sae,
    'train',
    {
      description: 'Train a sparse autoencoder on the activations of a transformer at one hook point.',
      example: 'monosem sae train --run runs/demo --architecture topk --k 32 --out runs/topk/sae',
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model'], 'sae')
      const result = await trainSaeOnModel(session, readFlags(command, saeConfigSchema), paths)
      const metrics = await readStageJson<Record<string, Json>>(result.directory, 'sae', 'metrics.json')
      return { json: { ...result, ...metrics }, text: `${madeOrReused(result)}\n${renderJson(metrics)}` }
    },
  )
  addFlags(addPaths(train, ['corpus', 'model'], 'sae'), saeConfigSchema)
}

/** The `sae` stage, fed with live activations of a model reading the training split of a corpus. */
export async function trainSaeOnModel(
  session: Session,
  config: SaeConfig,
  { corpus, model, out }: { corpus: string; model: string; out: string },
): Promise<StageResult> {
  const kernels = await session.kernels()
  const source = createLiveSource(kernels, await loadTransformer(kernels, model), await openCorpus(corpus), {
    hookName: config.hookName,
    seed: config.seed,
    bufferTokens: config.bufferTokens,
    dtype: config.activationDtype,
    modelBatch: config.modelBatch,
  })
  return runSaeStage(config, { source, out, inputs: { corpus, model } }, { ...session.context, kernels })
}
