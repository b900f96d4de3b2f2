import { join } from 'node:path'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { readStageJson } from '../storage/open-stage.js'
import { type Json, runStage, type StageResult } from '../storage/stage.js'
import type { ScalingFitConfig } from './fit-config.js'
import { readJobs } from './job-files.js'
import { renderScalingPage } from './render-scaling-page.js'
import { type ScalingReport, scalingReport } from './scaling-report.js'

/**
 * The `scaling` stage: fits the laws of all jobs that are finished and writes scaling.json and report.html.
 * @param paths jobs: directory that `runJobs` wrote; out: directory to make
 * @throws MonosemError missing (no finished job), config (jobs that cannot be compared), those of `runStage`
 */
export async function runScalingStage(
  config: ScalingFitConfig,
  { jobs, out }: { jobs: string; out: string },
): Promise<StageResult> {
  const stored = await readJobs(jobs)
  const unfinished = { failed: stored.failures.map(({ name }) => name), missing: stored.missing }
  const request = {
    stage: 'scaling',
    out,
    config: { ...config, ...unfinished } as Record<string, Json>,
    inputs: stored.directories,
    seed: config.seed,
  }
  return runStage(request, async (partial) => {
    const report = scalingReport(stored, config)
    await writeFileAtomic(join(partial, 'scaling.json'), `${JSON.stringify(report, null, 2)}\n`)
    await writeFileAtomic(join(partial, 'report.html'), await renderScalingPage(report))
  })
}

/** Reads the report of a finished `scaling` directory. */
export async function readScalingReport(directory: string): Promise<ScalingReport> {
  return readStageJson<ScalingReport>(directory, 'scaling', 'scaling.json')
}
