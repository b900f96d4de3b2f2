import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kernels } from '../kernels/kernels.js'
import { openModelAndCorpus } from '../model/model-corpus.js'
import type { StageContext } from '../progress/progress.js'
import { loadSae } from '../sae/sae.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { openStage, runStage, type StageResult } from '../storage/stage.js'
import type { EvalConfig } from './eval-config.js'
import type { EvalReport } from './eval-report.js'
import { evaluate } from './evaluate.js'

/** The finished directories that `eval`, `features` and `case-studies` read, and where they write. */
export interface AnalysisPaths {
  model: string
  sae: string
  corpus: string
  out: string
}

/**
 * Runs the `eval` stage: measures an autoencoder on validation text and writes eval.json. It takes well under
 * a minute, so it keeps no checkpoint: when interrupted it starts over.
 * @throws MonosemError missing, shape (the autoencoder does not fit the model), config, corrupt
 */
export async function runEvalStage(
  config: EvalConfig,
  paths: AnalysisPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { out, ...inputs } = paths
  return runStage({ stage: 'eval', out, config: { ...config }, inputs }, async (partial) => {
    const { model, sae, corpus } = await loadInputs(paths, context.kernels)
    const report = await evaluate(
      config,
      { model, sae, split: corpus.validation, startOfText: corpus.tokenizer.startOfText },
      context,
    )
    await writeFileAtomic(join(partial, 'eval.json'), `${JSON.stringify(report, null, 2)}\n`)
  })
}

/** Opens the model, the autoencoder and the corpus that an analysis reads. */
export async function loadInputs(paths: Omit<AnalysisPaths, 'out'>, kernels: Kernels) {
  const [{ model, corpus }, sae] = await Promise.all([
    openModelAndCorpus(kernels, paths),
    loadSae(kernels, paths.sae),
  ])
  return { model, sae, corpus }
}

/** Reads the report of a finished `eval` directory. */
export async function readEvalReport(directory: string): Promise<EvalReport> {
  const stage = await openStage(directory, 'eval')
  return JSON.parse(await readFile(await stage.file('eval.json'), 'utf8')) as EvalReport
}
