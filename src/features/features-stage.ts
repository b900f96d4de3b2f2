import { join } from 'node:path'
import { writeTokenizer } from '../corpus/tokenizer-source.js'
import { type AnalysisPaths, loadInputs } from '../eval/eval-stage.js'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { buildFeatures } from './build-features.js'
import type { FeaturesConfig } from './features-config.js'

/**
 * Runs the `features` stage: the tables (feature-tables.ts), features.json, and the tokenizer so that the
 * directory can be read on its own. It takes about a minute, so it keeps no checkpoint: when interrupted it
 * starts over.
 * @throws MonosemError missing, shape (the autoencoder does not fit the model), config, corrupt, io,
 * interrupted
 */
export async function runFeaturesStage(
  config: FeaturesConfig,
  paths: AnalysisPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { out, ...inputs } = paths
  const request = { stage: 'features', out, config: { ...config }, inputs, seed: config.seed }
  return runStage(request, async (partial) => {
    const { model, sae, corpus } = await loadInputs(paths, context.kernels)
    const summary = await buildFeatures(
      config,
      { model, sae, split: corpus[config.split], startOfText: corpus.tokenizer.startOfText },
      partial,
      context,
    )
    await writeTokenizer(partial, corpus.tokenizer)
    await writeFileAtomic(join(partial, 'features.json'), `${JSON.stringify(summary, null, 2)}\n`)
  })
}
