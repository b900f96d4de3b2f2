import { MonosemError } from '../errors/monosem-error.js'
import { type FitOptions, fitLaws, type SparsityLaws } from './fit-laws.js'
import type { JobResult, StoredJobs } from './job-files.js'

/** scaling.json: what a sweep found. */
export interface ScalingReport {
  architecture: string
  hookName: string
  /** D */
  d: number
  /** tokens per step */
  batchSize: number
  heldOutTokens: number
  /** one for each sparsity, ascending */
  laws: SparsityLaws[]
  jobs: JobResult[]
  failures: { name: string; code: string; message: string }[]
  /** jobs that were planned and are not finished */
  missing: string[]
  leftOut: string[]
}

/** What all jobs of a report have in common. */
const shared = ['architecture', 'hookName', 'd', 'batchSize', 'heldOutTokens'] as const

/** Fits all laws. @throws MonosemError missing (no job is finished), config (jobs that cannot be compared) */
export function scalingReport(stored: StoredJobs, options: FitOptions): ScalingReport {
  const { results, failures, missing, leftOut } = stored
  if (results.length === 0)
    throw new MonosemError('missing', 'scaling: expected finished jobs, got none', {
      hint: failures[0]
        ? `the first that failed: ${failures[0].message}`
        : 'run `monosem scaling run` first, or let it end',
    })
  const [first] = results
  for (const result of results)
    for (const name of shared)
      if (result[name] !== first[name])
        throw new MonosemError(
          'config',
          `scaling: expected jobs that can be compared, got ${name} ${first[name]} for ${first.name} and ${result[name]} for ${result.name}`,
          { hint: 'keep sweeps of different kinds in directories of their own' },
        )
  const sparsities = [...new Set(results.map(({ sparsity }) => sparsity))].sort((a, b) => a - b)
  const { architecture, hookName, d, batchSize, heldOutTokens } = first
  return {
    ...{ architecture, hookName, d, batchSize, heldOutTokens },
    laws: sparsities.map((sparsity) => fitLaws(results, sparsity, options)),
    jobs: [...results].sort(
      (a, b) => a.sparsity - b.sparsity || a.compute - b.compute || a.features - b.features,
    ),
    ...{ failures, missing, leftOut },
  }
}
