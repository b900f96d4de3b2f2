import { join } from 'node:path'
import { type AnalysisPaths, loadInputs } from '../eval/eval-stage.js'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { readStageJson } from '../storage/open-stage.js'
import { runStage, type StageResult } from '../storage/stage.js'
import type { CaseStudiesConfig } from './case-studies-config.js'
import { type CaseStudy, studyPredicates } from './study-predicates.js'

/**
 * Runs the `case-studies` stage and writes case-studies.json. It takes under a minute, so it keeps no
 * checkpoint: when interrupted it starts over.
 * @throws MonosemError config (no such predicate), missing, shape (the autoencoder does not fit the model),
 * corrupt, io, interrupted
 */
export async function runCaseStudiesStage(
  config: CaseStudiesConfig,
  paths: AnalysisPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { out, ...inputs } = paths
  const request = { stage: 'case-studies', out, config: { ...config }, inputs, seed: config.seed }
  return runStage(request, async (partial) => {
    const studies = await studyPredicates(config, await loadInputs(paths, context.kernels), context)
    await writeFileAtomic(join(partial, 'case-studies.json'), `${JSON.stringify(studies, null, 2)}\n`)
  })
}

/** Reads the studies of a finished `case-studies` directory. */
export async function readCaseStudies(directory: string): Promise<CaseStudy[]> {
  return readStageJson<CaseStudy[]>(directory, 'case-studies', 'case-studies.json')
}
