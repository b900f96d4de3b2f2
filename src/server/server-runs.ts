import { MonosemError } from '../errors/monosem-error.js'
import { openServedRun, runNames, type ServedRun, type ServedRunOptions } from './served-run.js'

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

/**
 * Opens all of them or, when one cannot be opened, none.
 * @param shared what all of them compute with
 * @throws MonosemError names the run that is to blame
 */
export async function openServedRuns(
  directories: readonly string[],
  shared: ServedRunOptions = {},
): Promise<ServedRuns> {
  const names = runNames(directories)
  const results = await Promise.allSettled(
    directories.map((directory, i) =>
      openServedRun(directory, names[i], shared).catch((error: unknown) => {
        throw blamed(directory, error)
      }),
    ),
  )
  const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.find((result) => result.status === 'rejected')
  if (!failed) return new Map(opened.map((run) => [run.info.run, run]))
  await closeRuns(opened)
  throw failed.reason
}

export async function closeRuns(runs: Iterable<ServedRun>): Promise<void> {
  for (const run of runs) await run.close()
}

/** An error of one run among several says of which, and what to do about it. */
function blamed(directory: string, error: unknown): unknown {
  if (!(error instanceof MonosemError)) return error
  const message = error.message.includes(directory) ? error.message : `${directory}: ${error.message}`
  const hint =
    error.hint ??
    (error.code === 'missing' ? `monosem demo --out ${directory} makes or finishes it` : undefined)
  return new MonosemError(error.code, message, { cause: error, ...(hint !== undefined && { hint }) })
}
