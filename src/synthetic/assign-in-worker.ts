import { Worker } from 'node:worker_threads'
import { MonosemError } from '../errors/monosem-error.js'
import { throwIfInterrupted } from '../progress/progress.js'
import type { Assignment } from './assignment.js'

/** What the worker gets. */
export interface AssignmentInput {
  /** [rows, columns], finite */
  similarity: Float32Array<ArrayBuffer>
  rows: number
  columns: number
}

/**
 * `assign` in a thread of its own: thousands of rows take seconds. The similarities move there and are gone here.
 * @throws MonosemError interrupted, at once when the signal is aborted
 */
export async function assignInWorker(input: AssignmentInput, signal?: AbortSignal): Promise<Assignment> {
  throwIfInterrupted(signal)
  const worker = new Worker(new URL('./assignment-worker.js', import.meta.url), {
    workerData: input,
    transferList: [input.similarity.buffer],
  })
  let stop = () => {}
  try {
    const assignment = await new Promise<Assignment | null>((resolve, reject) => {
      stop = () => resolve(null)
      signal?.addEventListener('abort', stop)
      worker.on('error', reject)
      worker.on('exit', (code) =>
        reject(new MonosemError('io', `the thread that matches features ended with ${code}`)),
      )
      worker.on('message', resolve)
    })
    throwIfInterrupted(signal)
    return assignment as Assignment
  } finally {
    signal?.removeEventListener('abort', stop)
    await worker.terminate()
  }
}
