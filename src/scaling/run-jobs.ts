import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels } from '../kernels/kernels.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { ActivationSource } from '../sae/activation-source.js'
import { resolveSaeConfig } from '../sae/resolve-config.js'
import { loadSae } from '../sae/sae.js'
import { type SaeMetrics, trainSaes } from '../sae/sae-stage.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { lockDirectory } from '../storage/lock.js'
import { openStage } from '../storage/open-stage.js'
import { runStage } from '../storage/stage.js'
import type { HeldOut } from './held-out.js'
import {
  failedFile,
  heldOutDirectory,
  type JobFailure,
  type JobResult,
  planFile,
  readFailure,
  resultFile,
  saeDirectory,
} from './job-files.js'
import { measureLoss } from './measure-loss.js'
import type { ScalingJob, ScalingPlan } from './plan-jobs.js'

/** What a sweep trains on, is measured on, and writes. */
export interface SweepPaths {
  source: ActivationSource
  heldOut: HeldOut
  /** directory of jobs, see `job-files.ts` */
  out: string
  /** finished stage directories that the source reads, by role */
  inputs: Record<string, string>
  /** those that the held-out activations come from */
  heldOutInputs: Record<string, string>
}

export type JobStatus = 'done' | 'was there' | 'failed' | 'in another process'

type SweepContext = StageContext & { kernels: Kernels }

/**
 * Trains and measures the jobs of a plan that are not finished yet. Several train on one stream (`trainSaes`), each with checkpoints: after a kill the
 * same call goes on. What is finished is not run again, also when the plan has grown since. A job that diverges is recorded in
 * failed.json and the others go on; remove its directory to try it again. Other processes may work on the same directory: a job
 * whose lock they hold is left to them.
 * @param together how many train side by side
 * @returns what became of each job, in the order of the plan
 * @throws MonosemError config (a job is there with other options), interrupted (after saving), io
 */
export async function runJobs(
  { jobs, leftOut }: ScalingPlan,
  paths: SweepPaths,
  together: number,
  context: SweepContext,
): Promise<JobStatus[]> {
  await writePlan(paths.out, { jobs, leftOut })
  const status = new Map<string, JobStatus>()
  const open: ScalingJob[] = []
  for (const job of jobs) {
    const found = await statusOf(paths.out, job)
    if (found) status.set(job.name, found)
    else open.push(job)
  }
  await requireSameOptions(
    jobs.filter(({ name }) => status.get(name) === 'was there'),
    paths,
    context,
  )
  for (let i = 0; i < open.length; i += together) {
    throwIfInterrupted(context.signal)
    const group = open.slice(i, i + together)
    context.progress.note(`jobs ${i + 1} to ${i + group.length} of ${open.length}`)
    const unlock = await lockJobs(paths.out, group)
    if (unlock)
      try {
        await runGroup(group, paths, context)
      } finally {
        await unlock()
      }
    for (const job of group) {
      const found = unlock ? await statusOf(paths.out, job) : 'in another process'
      status.set(job.name, found === 'was there' ? 'done' : (found ?? 'failed'))
    }
  }
  return jobs.map(({ name }) => status.get(name) as JobStatus)
}

async function writePlan(out: string, { jobs, leftOut }: ScalingPlan): Promise<void> {
  try {
    await mkdir(out, { recursive: true })
  } catch (cause) {
    throw storageError('create', out, cause)
  }
  const rows = jobs.map(({ sae, ...job }) => job)
  await writeFileAtomic(join(out, planFile), `${JSON.stringify({ jobs: rows, leftOut }, null, 2)}\n`)
}

async function statusOf(out: string, { name }: ScalingJob): Promise<JobStatus | null> {
  if (existsSync(heldOutDirectory(out, name))) return 'was there'
  return (await readFailure(out, name)) ? 'failed' : null
}

/** Finished jobs are used again only if they would be made in the same way: their stages compare the options. */
async function requireSameOptions(
  finished: readonly ScalingJob[],
  paths: SweepPaths,
  context: SweepContext,
): Promise<void> {
  if (finished.length === 0) return
  const requests = finished.map(({ name, sae }) => ({ config: sae, out: saeDirectory(paths.out, name) }))
  await trainSaes(requests, paths, context)
  for (const job of finished) await measureJob(job, paths, context)
}

/** Locks the directories of all jobs of a group; null when another process works on one of them. */
async function lockJobs(out: string, group: readonly ScalingJob[]): Promise<(() => Promise<void>) | null> {
  const held: (() => Promise<void>)[] = []
  const unlock = async (): Promise<void> => {
    for (const release of held) await release()
  }
  for (const { name } of group)
    try {
      await mkdir(join(out, name), { recursive: true })
      held.push(await lockDirectory(join(out, name)))
    } catch (error) {
      await unlock()
      if (error instanceof MonosemError && error.code === 'busy') return null
      throw error
    }
  return unlock
}

/** What stops a sweep; everything else is the failure of one job. */
const stopsAll = new Set<string>(['interrupted', 'io', 'busy', 'config'])
const isFailure = (error: unknown): error is MonosemError =>
  error instanceof MonosemError && !stopsAll.has(error.code)

/** Trains a group on one stream; where that fails, each alone, so that the failure finds the job it belongs to. */
async function runGroup(
  group: readonly ScalingJob[],
  paths: SweepPaths,
  context: SweepContext,
): Promise<void> {
  const { out, source, inputs } = paths
  const requests = group.map(({ name, sae }) => ({ config: sae, out: saeDirectory(out, name) }))
  try {
    await trainSaes(requests, { source, inputs }, context)
  } catch (error) {
    if (!isFailure(error)) throw error
    if (group.length === 1) return recordFailure(out, group[0], error)
    for (const job of group) await runGroup([job], paths, context)
    return
  }
  for (const job of group)
    try {
      await measureJob(job, paths, context)
    } catch (error) {
      if (!isFailure(error)) throw error
      await recordFailure(out, job, error)
    }
}

async function recordFailure(out: string, { name }: ScalingJob, error: MonosemError): Promise<void> {
  const failure: JobFailure = { code: error.code, message: error.message }
  await writeFileAtomic(join(out, name, failedFile), `${JSON.stringify(failure, null, 2)}\n`)
}

/** Measures a trained autoencoder on the held-out activations: the stage `scaling-job`. */
async function measureJob(job: ScalingJob, paths: SweepPaths, { kernels }: SweepContext): Promise<void> {
  const sae = saeDirectory(paths.out, job.name)
  const request = {
    stage: 'scaling-job',
    out: heldOutDirectory(paths.out, job.name),
    config: { heldOutTokens: paths.heldOut.x.shape[0] },
    inputs: { ...paths.heldOutInputs, sae },
    seed: job.seed,
  }
  await runStage(request, async (partial) => {
    const result = await resultOf(job, sae, paths, kernels)
    await writeFileAtomic(join(partial, resultFile), `${JSON.stringify(result, null, 2)}\n`)
  })
}

async function resultOf(
  job: ScalingJob,
  directory: string,
  { source, heldOut }: SweepPaths,
  kernels: Kernels,
): Promise<JobResult> {
  const { sae: asked, name, features, steps, tokens, sparsity, seed, compute } = job
  const config = resolveSaeConfig(asked, source.d)
  const stage = await openStage(directory, 'sae')
  const metrics = await stage.json<SaeMetrics>('metrics.json')
  using sae = await loadSae(kernels, directory)
  const scale = metrics.activationScale
  const { tokens: heldOutTokens, ...loss } = await measureLoss(kernels, sae, heldOut, { config, scale })
  return {
    name,
    architecture: config.architecture,
    hookName: config.hookName,
    d: source.d,
    batchSize: config.batchSize,
    ...{ features, steps, tokens, sparsity, seed, compute },
    learningRate: config.learningRate,
    deadFraction: metrics.deadFraction,
    ...loss,
    heldOutTokens,
  }
}
