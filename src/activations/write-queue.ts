/** Jobs that are done one after the other while the caller goes on, but only so far ahead. */
export interface WriteQueue {
  /**
   * Adds a job. Resolves at once unless too many are waiting: then when there is room again.
   * @throws what an earlier job threw; no job runs after that
   */
  push(job: () => Promise<void>): Promise<void>
  /** Resolves when all jobs are done. @throws what a job threw */
  drain(): Promise<void>
}

/** @param ahead how many jobs may be unfinished when `push` returns */
export function createWriteQueue(ahead: number): WriteQueue {
  const unfinished: Promise<void>[] = []
  let last: Promise<void> = Promise.resolve()
  return {
    async push(job) {
      last = last.then(job)
      // who waits for it learns of the error; nobody may be waiting yet
      last.catch(() => {})
      unfinished.push(last)
      while (unfinished.length > ahead) await unfinished.shift()
    },
    drain: async () => {
      await last
    },
  }
}
