import { Worker } from 'node:worker_threads'
import { MonosemError } from '../errors/monosem-error.js'
import { type ProgressTask, type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { Neighbours } from '../sae/decoder-neighbours.js'
import type { LayoutOptions, LayoutProgress, MapLayout } from './map-layout.js'

/** What the worker gets. */
export interface WorkerInput {
  neighbours: Neighbours
  n: number
  options: LayoutOptions
}

/** What it sends back: progress, and the layout at the end. */
type Message =
  | { step: Parameters<LayoutProgress>[0]; done: number; total: number; layout?: undefined }
  | { layout: MapLayout }

const labels = { map: 'lay out the map', order: 'order the list', clusters: 'find clusters' }
const units = { map: 'epochs', order: 'epochs', clusters: 'features' }

/**
 * `layoutMap` in a thread of its own, so that progress and Ctrl-C stay alive.
 * @throws MonosemError interrupted, at once when the signal is aborted
 */
export async function mapInWorker(input: WorkerInput, context: StageContext): Promise<MapLayout> {
  throwIfInterrupted(context.signal)
  const worker = new Worker(new URL('./map-worker.js', import.meta.url), { workerData: input })
  const tasks = new Map<string, ProgressTask>()
  const show = (message: Exclude<Message, { layout: MapLayout }>): void => {
    const { step, done, total } = message
    const task = tasks.get(step) ?? context.progress.start(labels[step], total, units[step])
    tasks.set(step, task)
    task.update(done)
    if (done === total) task.end()
  }
  let stop = () => {}
  try {
    const layout = await new Promise<MapLayout | null>((resolve, reject) => {
      stop = () => resolve(null)
      context.signal?.addEventListener('abort', stop)
      worker.on('error', reject)
      worker.on('exit', (code) => reject(new MonosemError('io', `the thread of the map ended with ${code}`)))
      worker.on('message', (message: Message) => (message.layout ? resolve(message.layout) : show(message)))
    })
    throwIfInterrupted(context.signal)
    return layout as MapLayout
  } finally {
    context.signal?.removeEventListener('abort', stop)
    await worker.terminate()
  }
}
