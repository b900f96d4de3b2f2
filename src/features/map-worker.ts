// Entry file of the worker thread that `mapInWorker` starts.
import { parentPort, workerData } from 'node:worker_threads'
import type { WorkerInput } from './map-in-worker.js'
import { layoutMap } from './map-layout.js'

const { neighbours, n, options } = workerData as WorkerInput
const layout = layoutMap(neighbours, n, options, (step, done, total) =>
  parentPort?.postMessage({ step, done, total }),
)
parentPort?.postMessage({ layout })
