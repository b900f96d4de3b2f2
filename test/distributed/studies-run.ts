import { singleRank } from '../../src/distributed/communicator.js'
import type { EvalConfig } from '../../src/eval/eval-config.js'
import { loadInputs } from '../../src/eval/eval-stage.js'
import type { ExplainConfig } from '../../src/explain/explain-config.js'
import { explainFeatures } from '../../src/explain/explain-features.js'
import { openExplanations } from '../../src/explain/explanations.js'
import { nearestFeatures } from '../../src/explain/nearest-features.js'
import type { FeaturesConfig } from '../../src/features/features-config.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import type { StageContext } from '../../src/progress/progress.js'

/** What the program of several ranks is to do: stages by the name of the directory that they make in `out`. */
export interface StudiesRun {
  inputs: Record<'corpus' | 'model' | 'sae', string>
  /** the features that are explained: one rank's, so that both explain the same */
  store: string
  evals: Record<string, EvalConfig>
  features: Record<string, FeaturesConfig>
  /** by statistics */
  explanations: ExplainConfig
  /** by a language model */
  asking: ExplainConfig
  out: string
}

/** Explains the features of a run as the command does. */
export async function explainInto(
  directory: string,
  config: ExplainConfig,
  { inputs, store }: Pick<StudiesRun, 'inputs' | 'store'>,
  context: StageContext & { kernels: Kernels },
) {
  const { ranks = singleRank } = context
  const kept = ranks.rank === 0 ? await openExplanations(directory, store) : null
  const loaded = await loadInputs(inputs, context.kernels)
  const ids = Array.from({ length: 100 }, (_, id) => id)
  const near = await nearestFeatures(loaded.sae, ids, 5, ranks)
  return explainFeatures(config, { ...loaded, nearest: (id) => near.get(id) ?? [] }, kept, context)
}
