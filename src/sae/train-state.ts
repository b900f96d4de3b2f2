import { z } from 'zod'
import { singleMesh } from '../distributed/mesh.js'
import { allGatherValues } from '../distributed/values.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type CheckpointReader, openCheckpointShare, saveCheckpoint } from '../formats/checkpoint.js'
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
import { type SaeShare, shareOf } from './sae-ranks.js'

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

/**
 * Everything that decides how training goes on. Where ranks share the features, all that has a row for each feature holds the rows of this rank's, and the
 * rest is the same on all ranks, to the bit.
 */
export interface TrainState extends SaeTraining {
  /** moving average of the parameters, where one is kept */
  average: SaeTensors | null
  /** [D] see `InitialStatistics` */
  smoothing: Tensor
  counters: TrainCounters
}

/**
 * A state before the first step.
 * @param arrays of this rank's features
 */
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
    tokensSinceFired: kernels.zeros([arrays.bEnc.length], 'i32'),
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

/** Tensors that all ranks have whole. */
const replicated: readonly string[] = ['bDec', 'wSkip', 'running', 'smoothing']

/**
 * Writes a checkpoint into the directory; all ranks of the mesh call it.
 * @throws MonosemError diverged (a parameter of any rank is not finite: nothing is written, the checkpoint before stays), io
 */
export async function saveTrainState(
  kernels: Kernels,
  state: TrainState,
  directory: string,
  { mesh, slice }: SaeShare = shareOf(singleMesh, state.tokensSinceFired.shape[0]),
): Promise<void> {
  // ranks with the same features and other tokens hold the same numbers: the first of them writes
  const writes = mesh.data.rank === 0
  const parameters = writes ? await readParameters(kernels, state) : {}
  const broken = await allGatherValues(mesh.world, notFinite(parameters))
  for (const name of broken) if (name !== null) throw diverged(name)
  if (writes) {
    const tensors = { ...parameters, ...(await readCounts(kernels, state)) }
    await saveCheckpoint(directory, state.counters, tensors, { ranks: mesh.features, rows: slice })
  }
  // whoever is interrupted ends all ranks: not before the checkpoint counts
  await mesh.world.barrier()
}

/** Parameters, moments and average. */
async function readParameters(kernels: Kernels, state: TrainState): Promise<Record<string, SafeTensor>> {
  const tensors: Record<string, SafeTensor> = {}
  for (const group of groups) {
    const parameters = state[group]
    if (!parameters) continue
    const arrays = await readSae(kernels, parameters)
    for (const name of paramNames(arrays))
      tensors[`${group}.${name}`] = { shape: [...parameters[name]!.shape], data: arrays[name]! }
  }
  return tensors
}

/** The other tensors of a state. */
async function readCounts(kernels: Kernels, state: TrainState): Promise<Record<string, SafeTensor>> {
  const tensors: Record<string, SafeTensor> = {}
  for (const name of ['tokensSinceFired', 'running', 'smoothing'] as const)
    tensors[name] = { shape: [...state[name].shape], data: await kernels.read(state[name]) }
  return tensors
}

/** Name of a tensor that holds NaN or infinity, or null. */
function notFinite(tensors: Record<string, SafeTensor>): string | null {
  for (const [name, { data }] of Object.entries(tensors)) if (!data.every(Number.isFinite)) return name
  return null
}

/**
 * Loads the checkpoint of a directory, or returns null when there is none; all ranks of the mesh call it, as many or as few as wrote it. W_enc is packed again.
 * @param optional the parameters beside the four that every autoencoder has
 * @throws MonosemError config (of another architecture), corrupt
 */
export async function loadTrainState(
  kernels: Kernels,
  directory: string,
  config: ResolvedSaeConfig,
  { d, dOut }: Pick<SaeShape, 'd' | 'dOut'>,
  optional: readonly SaeParamName[],
  { mesh, slice }: SaeShare = shareOf(singleMesh, config.features),
): Promise<TrainState | null> {
  const checkpoint = await openCheckpointShare(directory, { ranks: mesh.world, rows: slice })
  if (!checkpoint) return null
  try {
    const counters = countersSchema.safeParse(checkpoint.state)
    if (!counters.success) throw corrupt(directory, 'its state is not that of this stage', counters.error)
    requireArchitecture(directory, counters.data.architecture, config.architecture)
    const shape = { d, dOut, features: slice.count }
    const tensors = await readTensors(kernels, checkpoint, directory, config, shape, optional)
    const packed = packEncoder(kernels, tensors.params.wEnc, config.precision, tensors.smoothing)
    return { ...tensors, packed, counters: counters.data }
  } finally {
    await checkpoint.close()
  }
}

/** @param shape with the number of features of this rank */
async function readTensors(
  kernels: Kernels,
  checkpoint: CheckpointReader,
  directory: string,
  config: ResolvedSaeConfig,
  shape: SaeShape,
  optional: readonly SaeParamName[],
): Promise<Omit<TrainState, 'packed' | 'counters'>> {
  const load = async (
    name: string,
    wanted: number[],
    type: typeof Float32Array | typeof Int32Array,
  ): Promise<Tensor> => {
    const whole = replicated.includes(name.slice(name.indexOf('.') + 1))
    const { data, shape: found } = await (whole ? checkpoint.read(name) : checkpoint.readRows(name))
    if (!(data instanceof type) || String(found) !== String(wanted))
      throw corrupt(directory, `expected ${name} [${wanted}], got [${found}]`)
    return kernels.tensor(data, wanted)
  }
  const shapes = saeShapes(shape)
  const names = paramNames(Object.fromEntries(optional.map((name) => [name, true])))
  const loadGroup = async (group: string): Promise<SaeTensors> => {
    const tensors: [string, Tensor][] = []
    for (const name of names) tensors.push([name, await load(`${group}.${name}`, shapes[name], Float32Array)])
    return Object.fromEntries(tensors) as unknown as SaeTensors
  }
  return {
    params: await loadGroup('params'),
    m: await loadGroup('m'),
    v: await loadGroup('v'),
    average: config.emaDecay > 0 ? await loadGroup('average') : null,
    tokensSinceFired: await load('tokensSinceFired', [shape.features], Int32Array),
    running: await load('running', [SAE_RUNNING], Float32Array),
    smoothing: await load('smoothing', [shape.d], Float32Array),
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
