// Entry file of the process that bench/load-model.ts measures: loads a checkpoint and prints what that took. DIRECTORY f32|bf16
import { readFileSync } from 'node:fs'
import { loadKernels } from '../src/kernels/load.js'
import { loadHuggingFaceModel } from '../src/model/huggingface/load.js'
import type { LoadedOnce } from './load-model.js'

/** Bytes from a line of /proc/self/status. */
const status = (key: string): number =>
  1024 * Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1])

const [, , directory, kept] = process.argv
const kernels = await loadKernels()
const before = status('VmRSS')
const start = performance.now()
const { params } = await loadHuggingFaceModel(kernels, directory, { weights: kept as 'f32' | 'bf16' })
const seconds = (performance.now() - start) / 1000
const bytes = Object.values(params).map(
  ({ shape, dtype }) => shape.reduce((a, b) => a * b, 1) * (dtype === 'bf16' ? 2 : 4),
)
const result: LoadedOnce = {
  weights: bytes.reduce((a, b) => a + b, 0),
  before,
  peak: status('VmHWM'),
  seconds,
}
console.log(JSON.stringify(result))
