import { join } from 'node:path'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { readStageJson } from '../storage/open-stage.js'
import { runStage, type StageResult } from '../storage/stage.js'
import type { BaselinesConfig } from './baselines-config.js'
import { baselinesPage } from './baselines-page.js'
import { type BaselinesReport, baselinesReport } from './baselines-report.js'
import { type BaselinesPaths, makeBaselines } from './make-baselines.js'

/**
 * Makes the baselines of a dictionary below `paths.out` and judges it by them: the stage directory `<out>/report` holds baselines.json and
 * report.html.
 * @throws MonosemError as `makeBaselines` and `runStage`
 */
export async function runBaselines(
  config: BaselinesConfig,
  paths: BaselinesPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const made = await makeBaselines(config, paths, context)
  const inputs: Record<string, string> = { model: paths.model, sae: paths.sae, corpus: paths.corpus }
  const measures = [
    ['autoencoder', made.dictionary],
    ['same-budget', made.sameBudget],
    ...made.baselines,
  ] as const
  for (const [name, dictionary] of measures) inputs[`${name} measures`] = dictionary.measures
  const request = {
    stage: 'baselines',
    out: join(paths.out, 'report'),
    config: { only: config.only },
    inputs,
  }
  return runStage(request, async (partial) => {
    const report = baselinesReport(made)
    await writeFileAtomic(join(partial, 'baselines.json'), `${JSON.stringify(report, null, 2)}\n`)
    await writeFileAtomic(join(partial, 'report.html'), await baselinesPage(report))
  })
}

/** Reads the report of a finished `baselines` directory. */
export async function readBaselinesReport(directory: string): Promise<BaselinesReport> {
  return readStageJson<BaselinesReport>(directory, 'baselines', 'baselines.json')
}
