import { MonosemError } from '../errors/monosem-error.js'
import type { ServedRun } from './served-run.js'

/** All runs of a server, by name. */
export type ServedRuns = ReadonlyMap<string, ServedRun>

/** @throws MonosemError missing */
export function runNamed(runs: ServedRuns, name: string): ServedRun {
  const run = runs.get(name)
  if (run) return run
  throw new MonosemError('missing', `there is no run called ${name}`, {
    hint: `this server shows ${[...runs.keys()].join(', ')}`,
  })
}
