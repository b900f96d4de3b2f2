import type { Communicator } from '../distributed/communicator.js'
import { MonosemError } from '../errors/monosem-error.js'

/** One running piece of work with a known size. */
export interface ProgressTask {
  /** Sets how much is done, with a few figures to show beside it (loss, L0, ...). Cheap: implementations limit their own rate. */
  update(done: number, figures?: Record<string, number | string>): void
  /** Ends the task; `note` is a short result to leave on the line. */
  end(note?: string): void
}

/** Where long jobs report to: a terminal bar, plain lines, or nothing. */
export interface Progress {
  /** @param unit plural noun for rates, e.g. "tokens", "steps" */
  start(label: string, total: number, unit: string): ProgressTask
  /** One line of information that is not progress. */
  note(text: string): void
}

/** What every stage gets from its caller besides its configuration. */
export interface StageContext {
  progress: Progress
  /** aborted when the user wants to stop: the stage throws `interrupted`, after saving a checkpoint if it keeps any */
  signal?: AbortSignal
  /** the processes that share the work; default: this one alone (`singleRank`) */
  ranks?: Communicator
}

/** Reports nothing; the default in the library. */
export const silentProgress: Progress = {
  start: () => ({ update: () => {}, end: () => {} }),
  note: () => {},
}

/** @throws MonosemError interrupted, when the signal is aborted */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interrupted()
}

/** What a stage throws when it was told to stop, after saving. */
export const interrupted = (): MonosemError =>
  new MonosemError('interrupted', 'stopped before the end', {
    hint: 'run the same command again to go on from the last finished stage or checkpoint',
  })
