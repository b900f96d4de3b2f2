import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import { loadCheckpoint, saveCheckpoint } from '../formats/checkpoint.js'
import type { SafeTensor } from '../formats/safetensors.js'
import type { Kernels, SaeTensors, Tensor } from '../kernels/kernels.js'
import {
  freeSae,
  readSae,
  type SaeArrays,
  saeParamNames,
  saeShapes,
  saeTensors,
  zeroSaeTensors,
} from './sae-params.js'

/** The numbers of a training run that are not tensors. A checkpoint keeps them as JSON, which is exact. */
const countersSchema = z.strictObject({
  /** steps done */
  step: z.number().int().nonnegative(),
  /** batches taken from the source */
  batchesTaken: z.number().int().nonnegative(),
  /** s: activations are multiplied by it */
  activationScale: z.number().positive(),
  /** mean ||s x - mean s x||^2 */
  variance: z.number().nonnegative(),
  /** time spent in training steps, over all sessions */
  seconds: z.number().nonnegative(),
  /** length of metrics.jsonl */
  metricsBytes: z.number().int().nonnegative(),
  /** sums since the last line of metrics.jsonl */
  window: z.strictObject({
    steps: z.number(),
    squaredError: z.number(),
    l1: z.number(),
    l0: z.number(),
    auxLoss: z.number(),
  }),
})

export type TrainCounters = z.infer<typeof countersSchema>

/** Everything that decides how training goes on. */
export interface TrainState {
  params: SaeTensors
  /** Adam's moments */
  m: SaeTensors
  v: SaeTensors
  /** [F] i32 */
  tokensSinceFired: Tensor
  counters: TrainCounters
}

/** A state before the first step. */
export function newTrainState(
  kernels: Kernels,
  arrays: SaeArrays,
  counters: Pick<TrainCounters, 'batchesTaken' | 'activationScale' | 'variance'>,
): TrainState {
  const [features, d] = [arrays.bEnc.length, arrays.bDec.length]
  return {
    params: saeTensors(kernels, arrays, features, d),
    m: zeroSaeTensors(kernels, features, d),
    v: zeroSaeTensors(kernels, features, d),
    tokensSinceFired: kernels.zeros([features], 'i32'),
    counters: { step: 0, ...counters, seconds: 0, metricsBytes: 0, window: emptyWindow() },
  }
}

export const emptyWindow = (): TrainCounters['window'] => ({
  steps: 0,
  squaredError: 0,
  l1: 0,
  l0: 0,
  auxLoss: 0,
})

const groups = ['params', 'm', 'v'] as const

/** Writes a checkpoint into the directory. */
export async function saveTrainState(kernels: Kernels, state: TrainState, directory: string): Promise<void> {
  const [features, d] = state.params.wEnc.shape
  const shapes = saeShapes(features, d)
  const tensors: Record<string, SafeTensor> = {}
  for (const group of groups) {
    const arrays = await readSae(kernels, state[group])
    for (const name of saeParamNames)
      tensors[`${group}.${name}`] = { shape: shapes[name], data: arrays[name] }
  }
  const counts = (await kernels.read(state.tokensSinceFired)) as Int32Array
  tensors.tokensSinceFired = { shape: [features], data: counts }
  await saveCheckpoint(directory, state.counters, tensors)
}

/**
 * Loads the checkpoint of a directory, or returns null when there is none.
 * @throws MonosemError corrupt
 */
export async function loadTrainState(
  kernels: Kernels,
  directory: string,
  features: number,
  d: number,
): Promise<TrainState | null> {
  const checkpoint = await loadCheckpoint(directory)
  if (!checkpoint) return null
  const counters = countersSchema.safeParse(checkpoint.state)
  if (!counters.success) throw corrupt(directory, 'its state is not that of this stage', counters.error)
  const shapes = saeShapes(features, d)
  const data = <T extends Float32Array | Int32Array>(name: string, shape: number[], type: new () => T): T => {
    const tensor = checkpoint.tensors[name]
    if (!(tensor?.data instanceof type) || String(tensor.shape) !== String(shape))
      throw corrupt(directory, `expected ${name} [${shape}], got ${tensor ? `[${tensor.shape}]` : 'nothing'}`)
    return tensor.data
  }
  const load = (group: string): SaeTensors => {
    const array = (name: keyof SaeArrays) => data(`${group}.${name}`, shapes[name], Float32Array)
    const arrays = { wEnc: array('wEnc'), bEnc: array('bEnc'), wDec: array('wDec'), bDec: array('bDec') }
    return saeTensors(kernels, arrays, features, d)
  }
  const counts = data('tokensSinceFired', [features], Int32Array)
  return {
    params: load('params'),
    m: load('m'),
    v: load('v'),
    tokensSinceFired: kernels.tensor(counts, [features]),
    counters: counters.data,
  }
}

/** How many features have not fired for `deadAfterTokens` tokens. */
export function countDead(tokensSinceFired: ArrayLike<number>, deadAfterTokens: number): number {
  let dead = 0
  for (let j = 0; j < tokensSinceFired.length; j++) if (tokensSinceFired[j] >= deadAfterTokens) dead++
  return dead
}

/** Gives the memory of a state back. */
export function freeTrainState(kernels: Kernels, state: TrainState): void {
  for (const group of groups) freeSae(kernels, state[group])
  kernels.free(state.tokensSinceFired)
}

const corrupt = (directory: string, what: string, cause?: unknown): MonosemError =>
  new MonosemError('corrupt', `checkpoint of the sae in ${directory}: ${what}`, {
    cause,
    hint: `remove ${directory} and run the command again to start over`,
  })
