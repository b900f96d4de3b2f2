import { join } from 'node:path'
import { writeTokenizer } from '../corpus/tokenizer-source.js'
import { singleRank } from '../distributed/communicator.js'
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
 * starts over. The ranks of `context` share the work, each with the whole model and autoencoder; the files are those of one rank.
 * @throws MonosemError missing, shape (the autoencoder does not fit the model), config, corrupt, io,
 * interrupted
 */
export async function runFeaturesStage(
  config: FeaturesConfig,
  paths: AnalysisPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { out, ...inputs } = paths
  const { ranks = singleRank } = context
  const request = { stage: 'features', out, config: { ...config }, inputs, seed: config.seed }
  const build = async (partial: string): Promise<void> => {
    const { model, sae, corpus } = await loadInputs(paths, context.kernels)
    const summary = await buildFeatures(
      config,
      { model, sae, split: corpus[config.split], startOfText: corpus.tokenizer.startOfText },
      partial,
      context,
    )
    if (ranks.rank > 0) return
    await writeTokenizer(partial, corpus.tokenizer)
    await writeFileAtomic(join(partial, 'features.json'), `${JSON.stringify(summary, null, 2)}\n`)
  }
  return runStage(request, build, ranks)
}
