import { join } from 'node:path'
import type { EvalConfig } from '../eval/eval-config.js'
import { type AnalysisPaths, loadInputs } from '../eval/eval-stage.js'
import { evaluateFeatures } from '../eval/evaluate.js'
import type { Kernels } from '../kernels/kernels.js'
import { freeTransformer } from '../model/transformer.js'
import type { StageContext } from '../progress/progress.js'
import { unloadSae } from '../sae/sae.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { readStageJson } from '../storage/open-stage.js'
import { runStage } from '../storage/stage.js'
import type { Measured } from './verdict.js'

/**
 * Measures one autoencoder on validation text as `monosem eval` does, and keeps the sums of every document in measured.json, so that two
 * autoencoders can be compared document by document.
 * @throws MonosemError as `evaluate` and `runStage`
 */
export async function measure(
  config: EvalConfig,
  paths: AnalysisPaths,
  context: StageContext & { kernels: Kernels },
): Promise<Measured> {
  const { out, ...inputs } = paths
  const request = { stage: 'baseline-measures', out, config: { ...config }, inputs }
  await runStage(request, async (partial) => {
    const measured = await measureNow(config, inputs, context)
    await writeFileAtomic(join(partial, 'measured.json'), `${JSON.stringify(measured)}\n`)
  })
  return readStageJson<Measured>(out, 'baseline-measures', 'measured.json')
}

async function measureNow(
  config: EvalConfig,
  paths: Omit<AnalysisPaths, 'out'>,
  context: StageContext & { kernels: Kernels },
): Promise<Measured> {
  const { model, sae, corpus } = await loadInputs(paths, context.kernels)
  try {
    const { validation: split, tokenizer } = corpus
    const inputs = { model, sae, split, startOfText: tokenizer.startOfText }
    const { report, documents } = await evaluateFeatures(config, inputs, context)
    return { report, columns: documents }
  } finally {
    unloadSae(sae)
    freeTransformer(model)
  }
}
