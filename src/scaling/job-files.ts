import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from '../storage/atomic-file.js'
import { openStage } from '../storage/open-stage.js'

/**
 * A directory of jobs: `plan.json`, and for each job a directory with `sae/` (the trained autoencoder, a stage), `held-out/` (its loss, a stage)
 * and, where it failed, `failed.json`.
 */
export const planFile = 'plan.json'
export const failedFile = 'failed.json'
export const resultFile = 'held-out.json'
export const saeDirectory = (jobs: string, name: string): string => join(jobs, name, 'sae')
export const heldOutDirectory = (jobs: string, name: string): string => join(jobs, name, 'held-out')

const number = () => z.number()

/** One finished job: what was trained, and its loss. */
const jobResultSchema = z.object({
  name: z.string(),
  architecture: z.string(),
  hookName: z.string(),
  /** D */
  d: number(),
  batchSize: number(),
  features: number(),
  steps: number(),
  tokens: number(),
  sparsity: number(),
  seed: number(),
  compute: number(),
  learningRate: number(),
  deadFraction: number(),
  /** see `HeldOutLoss` */
  loss: number(),
  normalizedMse: number(),
  penalty: number(),
  l0: number(),
  heldOutTokens: number(),
})

export type JobResult = z.infer<typeof jobResultSchema>

/** failed.json */
const jobFailureSchema = z.object({ code: z.string(), message: z.string() })
export type JobFailure = z.infer<typeof jobFailureSchema>

/** plan.json: the jobs that were asked for last, and what was left out. */
const planSchema = z.object({
  jobs: z.array(
    z.object({ name: z.string(), features: number(), steps: number(), sparsity: number(), seed: number() }),
  ),
  leftOut: z.array(z.string()),
})

/** Everything that a directory of jobs holds. */
export interface StoredJobs {
  results: JobResult[]
  /** directory of each result, by the job's name */
  directories: Record<string, string>
  failures: (JobFailure & { name: string })[]
  /** planned, but neither finished nor failed */
  missing: string[]
  leftOut: string[]
}

/** @throws MonosemError missing (no sweep was run there), corrupt, format */
export async function readJobs(jobs: string): Promise<StoredJobs> {
  if (!existsSync(join(jobs, planFile)))
    throw new MonosemError('missing', `${jobs} is not a directory of jobs: ${planFile} is not there`, {
      hint: 'run `monosem scaling run` first, or pass its --out as --jobs',
    })
  const { leftOut, ...plan } = await readChecked(join(jobs, planFile), planSchema)
  const stored: StoredJobs = { results: [], directories: {}, failures: [], missing: [], leftOut }
  const entries = await readdir(jobs, { withFileTypes: true })
  const found = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  for (const name of new Set([...plan.jobs.map((job) => job.name), ...found.sort()])) {
    const directory = heldOutDirectory(jobs, name)
    if (existsSync(directory)) {
      const path = await (await openStage(directory, 'scaling-job')).file(resultFile)
      stored.results.push(await readChecked(path, jobResultSchema))
      stored.directories[name] = directory
    } else {
      const failure = await readFailure(jobs, name)
      if (failure) stored.failures.push({ name, ...failure })
      else stored.missing.push(name)
    }
  }
  return stored
}

/** Why a job failed; null where it did not. @throws MonosemError format */
export async function readFailure(jobs: string, name: string): Promise<JobFailure | null> {
  const path = join(jobs, name, failedFile)
  return existsSync(path) ? readChecked(path, jobFailureSchema) : null
}

async function readChecked<S extends z.ZodType>(path: string, schema: S): Promise<z.infer<S>> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw storageError('read', path, cause)
  })
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new MonosemError('format', `${path}: expected a file of a scaling sweep`, {
      cause,
      hint: 'was it made by another version?',
    })
  }
}
