// Entry file of the worker thread that `assignInWorker` starts.
import { parentPort, workerData } from 'node:worker_threads'
import type { AssignmentInput } from './assign-in-worker.js'
import { assign } from './assignment.js'

const { similarity, rows, columns } = workerData as AssignmentInput
parentPort?.postMessage(assign(similarity, rows, columns))
