import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import { loadCheckpoint, saveCheckpoint } from '../formats/checkpoint.js'
import type { SafeTensor } from '../formats/safetensors.js'
import type { Kernels, SaeTensors, SaeTraining, Tensor } from '../kernels/kernels.js'
import { SAE_RUNNING } from '../kernels/sae-kernels.js'
import type { ActivationScales } from './batch-stream.js'
import { packEncoder } from './precision.js'
import { architectureNames, type ResolvedSaeConfig } from './sae-config.js'
import {
  copyOf,
  freeSae,
  paramNames,
  readSae,
  type SaeArrays,
  type SaeParamName,
  type SaeShape,
  saeShapes,
  saeTensors,
  zerosLike,
} from './sae-params.js'

const count = () => z.number().int().nonnegative()

/** The numbers of a training run that are not tensors. A checkpoint keeps them as JSON, which is exact. */
const countersSchema = z.strictObject({
  architecture: z.enum(architectureNames),
  /** steps done */
  step: count(),
  /** batches taken from the source */
  batchesTaken: count(),
  /** s and t: inputs and targets are multiplied by them */
  scales: z.strictObject({ input: z.number().positive(), target: z.number().positive() }),
  /** mean ||y - mean y||^2 of scaled targets */
  variance: z.number().nonnegative(),
  /** rows left out because they hold NaN or infinity */
  skippedRows: count(),
  /** time spent in training steps, over all sessions */
  seconds: z.number().nonnegative(),
  /** lengths of the files that lines are appended to */
  logBytes: z.strictObject({ metrics: count(), timings: count(), events: count() }),
  /** sums since the last line of metrics.jsonl; of maxDensity the largest */
  window: z.strictObject({
    steps: z.number(),
    squaredError: z.number(),
    prefixError: z.number(),
    sparsity: z.number(),
    l0: z.number(),
    auxLoss: z.number(),
    preActLoss: z.number(),
    gradientNorm: z.number(),
    maxDensity: z.number(),
    skippedRows: z.number(),
  }),
})

export type TrainCounters = z.infer<typeof countersSchema>
export type TrainWindow = TrainCounters['window']

/** Everything that decides how training goes on. */
export interface TrainState extends SaeTraining {
  /** moving average of the parameters, where one is kept */
  average: SaeTensors | null
  /** [D] see `InitialStatistics` */
  smoothing: Tensor
  counters: TrainCounters
}

/** A state before the first step. */
export function newTrainState(
  kernels: Kernels,
  config: ResolvedSaeConfig,
  arrays: SaeArrays,
  start: {
    batchesTaken: number
    scales: ActivationScales
    variance: number
    skippedRows: number
    smoothing: Float32Array
  },
): TrainState {
  const { smoothing, ...counters } = start
  const params = saeTensors(kernels, arrays)
  const smoothingTensor = kernels.tensor(smoothing, [smoothing.length])
  return {
    params,
    m: zerosLike(kernels, params),
    v: zerosLike(kernels, params),
    average: config.emaDecay > 0 ? copyOf(kernels, params) : null,
    packed: packEncoder(kernels, params.wEnc, config.precision, smoothingTensor),
    tokensSinceFired: kernels.zeros([config.features], 'i32'),
    running: kernels.zeros([SAE_RUNNING]),
    smoothing: smoothingTensor,
    counters: {
      architecture: config.architecture,
      step: 0,
      ...counters,
      seconds: 0,
      logBytes: { metrics: 0, timings: 0, events: 0 },
      window: emptyWindow(),
    },
  }
}

export const emptyWindow = (): TrainWindow => ({
  steps: 0,
  squaredError: 0,
  prefixError: 0,
  sparsity: 0,
  l0: 0,
  auxLoss: 0,
  preActLoss: 0,
  gradientNorm: 0,
  maxDensity: 0,
  skippedRows: 0,
})

const groups = ['params', 'm', 'v', 'average'] as const

/**
 * Writes a checkpoint into the directory.
 * @throws MonosemError diverged (a parameter is not finite: nothing is written, the checkpoint before stays), io
 */
export async function saveTrainState(kernels: Kernels, state: TrainState, directory: string): Promise<void> {
  const tensors: Record<string, SafeTensor> = {}
  for (const group of groups) {
    const parameters = state[group]
    if (!parameters) continue
    const arrays = await readSae(kernels, parameters)
    for (const name of paramNames(arrays)) {
      const data = arrays[name]!
      if (!data.every(Number.isFinite)) throw diverged(`${group}.${name}`)
      tensors[`${group}.${name}`] = { shape: [...parameters[name]!.shape], data }
    }
  }
  for (const name of ['tokensSinceFired', 'running', 'smoothing'] as const)
    tensors[name] = { shape: [...state[name].shape], data: await kernels.read(state[name]) }
  await saveCheckpoint(directory, state.counters, tensors)
}

/**
 * Loads the checkpoint of a directory, or returns null when there is none. W_enc is packed again.
 * @param optional the parameters beside the four that every autoencoder has
 * @throws MonosemError config (of another architecture), corrupt
 */
export async function loadTrainState(
  kernels: Kernels,
  directory: string,
  config: ResolvedSaeConfig,
  { d, dOut }: Pick<SaeShape, 'd' | 'dOut'>,
  optional: readonly SaeParamName[],
): Promise<TrainState | null> {
  const checkpoint = await loadCheckpoint(directory)
  if (!checkpoint) return null
  const counters = countersSchema.safeParse(checkpoint.state)
  if (!counters.success) throw corrupt(directory, 'its state is not that of this stage', counters.error)
  requireArchitecture(directory, counters.data.architecture, config.architecture)
  const { features } = config
  const data = <T extends Float32Array | Int32Array>(name: string, shape: number[], type: new () => T): T => {
    const tensor = checkpoint.tensors[name]
    if (!(tensor?.data instanceof type) || String(tensor.shape) !== String(shape))
      throw corrupt(directory, `expected ${name} [${shape}], got ${tensor ? `[${tensor.shape}]` : 'nothing'}`)
    return tensor.data
  }
  const shapes = saeShapes({ d, dOut, features })
  const names = paramNames(Object.fromEntries(optional.map((name) => [name, true])))
  const load = (group: string): SaeTensors => {
    const arrays = names.map((name) => [name, data(`${group}.${name}`, shapes[name], Float32Array)])
    return saeTensors(kernels, Object.fromEntries(arrays) as SaeArrays)
  }
  const vector = (name: string, length: number, type: new () => Float32Array | Int32Array): Tensor =>
    kernels.tensor(data(name, [length], type), [length])
  const params = load('params')
  const smoothing = vector('smoothing', d, Float32Array)
  return {
    params,
    m: load('m'),
    v: load('v'),
    average: config.emaDecay > 0 ? load('average') : null,
    packed: packEncoder(kernels, params.wEnc, config.precision, smoothing),
    tokensSinceFired: vector('tokensSinceFired', features, Int32Array),
    running: vector('running', SAE_RUNNING, Float32Array),
    smoothing,
    counters: counters.data,
  }
}

function requireArchitecture(directory: string, found: string, asked: string): void {
  if (found !== asked)
    throw new MonosemError(
      'config',
      `checkpoint of the sae in ${directory}: expected an autoencoder of architecture ${asked}, got ${found}`,
      { hint: 'train into another directory, or remove this one' },
    )
}

/** How many features have not fired for `deadAfterTokens` tokens. */
export function countDead(tokensSinceFired: ArrayLike<number>, deadAfterTokens: number): number {
  let dead = 0
  for (let j = 0; j < tokensSinceFired.length; j++) if (tokensSinceFired[j] >= deadAfterTokens) dead++
  return dead
}

/** Gives the memory of a state back. */
export function freeTrainState(kernels: Kernels, state: TrainState): void {
  for (const group of groups) if (state[group]) freeSae(kernels, state[group])
  kernels.saeFreePacked(state.packed)
  for (const name of ['tokensSinceFired', 'running', 'smoothing'] as const) kernels.free(state[name])
}

const corrupt = (directory: string, what: string, cause?: unknown): MonosemError =>
  new MonosemError('corrupt', `checkpoint of the sae in ${directory}: ${what}`, {
    cause,
    hint: `remove ${directory} and run the command again to start over`,
  })

const diverged = (name: string): MonosemError =>
  new MonosemError('diverged', `sae: expected finite numbers, got NaN or infinity in ${name}`, {
    hint: 'the last checkpoint is kept; start again in another directory with a lower --learning-rate',
  })
