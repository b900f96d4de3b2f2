import { type Mesh, sliceOf } from '../distributed/mesh.js'
import { MonosemError } from '../errors/monosem-error.js'
import type {
  Kernels,
  SaeForm,
  SaePrecision,
  SaeRanks,
  SaeStepOptions,
  SaeStepStats,
  Tensor,
} from '../kernels/kernels.js'
import { saeRunning } from '../kernels/sae-kernels.js'
import type { Progress } from '../progress/progress.js'
import { Random } from '../random/random.js'
import type { ActivationSource } from './activation-source.js'
import type { Inference } from './architectures/architecture.js'
import { architectures } from './architectures/index.js'
import { updateAverage } from './average.js'
import { badActivation } from './bad-activations.js'
import type { Batch, BatchStream } from './batch-stream.js'
import { normaliseDecoderRows } from './fold.js'
import type { InitialStatistics } from './initial-statistics.js'
import { precisionNote } from './precision.js'
import { resampleDeadFeatures } from './resample.js'
import type { ResolvedSaeConfig } from './sae-config.js'
import { readSae, type SaeArrays, type SaeParamName } from './sae-params.js'
import { requireWorkForAll, type SaeShare, saeRanksOf, shareOf, unevenNote } from './sae-ranks.js'
import {
  addToWindow,
  bytesOf,
  type Limits,
  openTrainLog,
  shareOfPeak,
  type TrainLog,
  writeLine,
} from './train-log.js'
import {
  countDead,
  freeTrainState,
  loadTrainState,
  newTrainState,
  saveTrainState,
  type TrainState,
} from './train-state.js'

/** A step whose statistics have not been looked at yet: the next one is enqueued first, so that the kernels never wait. */
interface PendingStep {
  batch: number
  options: SaeStepOptions
  stats: Promise<SaeStepStats>
  /** tokensSinceFired and running after the step, only where a line of metrics is due */
  reads: Promise<ArrayLike<number>[]> | null
}

/** What an autoencoder is trained with. */
export interface TraineeContext {
  kernels: Kernels
  source: ActivationSource
  progress: Progress
  /** the ranks that train it; they take the same steps, and all functions below are called by all of them */
  mesh: Mesh
  /** what gradients cross in between ranks with the same features */
  gradients?: SaeRanks['gradients']
}

/** One autoencoder that is being trained, in one directory. */
export interface Trainee extends TraineeContext {
  config: ResolvedSaeConfig
  directory: string
  share: SaeShare
  /** for the kernels: `share`, and this rank's tokens */
  ranks: SaeRanks | undefined
  state: TrainState
  log: TrainLog
  /** what its speed is compared with */
  limits: Limits
  totalSteps: number
  /** 0-based steps before which dead features are resampled */
  resampleSteps: Set<number>
  pending: PendingStep | null
  /** of the last step whose statistics were looked at */
  figures: { l0: number; explainedVariance: number; precision: SaePrecision; ofPeak: number | null } | null
}

export interface TraineeRequest {
  config: ResolvedSaeConfig
  directory: string
}

/** Goes on from the checkpoint in a directory; null when there is none. @throws MonosemError config, corrupt, io */
export async function resumeTrainee(
  context: TraineeContext,
  request: TraineeRequest,
): Promise<Trainee | null> {
  const { kernels, source, mesh } = context
  const { config, directory } = request
  requireWorkForAll(mesh, config)
  const optional = Object.keys(architectures[config.architecture].featureStart(config)) as SaeParamName[]
  if (config.skip) optional.push('wSkip')
  const shape = { d: source.d, dOut: source.dOut ?? source.d }
  const share = shareOf(mesh, config.features)
  const state = await loadTrainState(kernels, directory, config, shape, optional, share)
  return state && openTrainee(context, request, state)
}

/** Begins with the start values of the architecture. */
export async function startTrainee(
  context: TraineeContext,
  request: TraineeRequest,
  { statistics, batchesTaken }: { statistics: InitialStatistics; batchesTaken: number },
): Promise<Trainee> {
  const { scales, variance, skippedRows, smoothing } = statistics
  const arrays = startArrays(request.config, context.mesh, statistics)
  const start = { batchesTaken, scales, variance, skippedRows, smoothing }
  const state = newTrainState(context.kernels, request.config, arrays, start)
  return openTrainee(context, request, state)
}

/** Those of this rank's features. */
function startArrays(config: ResolvedSaeConfig, mesh: Mesh, statistics: InitialStatistics): SaeArrays {
  const { slice } = shareOf(mesh, config.features)
  const architecture = architectures[config.architecture]
  const random = Random.named(config.seed, 'sae parameters')
  const perFeature = Object.entries(architecture.featureStart(config)).map(([name, value]) => [
    name,
    new Float32Array(slice.count).fill(value),
  ])
  return {
    ...architecture.initialise(config, statistics, random, slice),
    ...Object.fromEntries(perFeature),
    ...(config.skip && { wSkip: new Float32Array(statistics.d * statistics.dOut) }),
  }
}

async function openTrainee(
  context: TraineeContext,
  { config, directory }: TraineeRequest,
  state: TrainState,
): Promise<Trainee> {
  const { kernels, source, progress, mesh, gradients } = context
  const totalSteps = Math.ceil(config.trainTokens / config.batchSize)
  const resampleAt = config.deadFeatures === 'resample' ? config.resampleAt : []
  const note = precisionNote(kernels, config.precision, state.packed)
  const uneven = unevenNote(mesh, config.features)
  for (const text of [note, uneven]) if (text) progress.note(text)
  const share = shareOf(mesh, config.features)
  const rows = sliceOf(config.batchSize, mesh.data)
  return {
    ...context,
    config,
    directory,
    share,
    ranks: saeRanksOf(mesh, config.features, config.batchSize, gradients),
    state,
    log: await openTrainLog(directory, config, state.counters, mesh),
    limits: {
      shape: { n: rows.count, d: source.d, f: share.slice.count },
      peak: await kernels.measurePeak(),
    },
    totalSteps,
    resampleSteps: new Set(resampleAt.map((fraction) => Math.round(fraction * totalSteps))),
    pending: null,
    figures: null,
  }
}

const positionOf = ({ state, totalSteps }: Trainee) => ({ step: state.counters.step, totalSteps })

/** Whether it has steps left. */
export const isTraining = ({ state, totalSteps }: Trainee): boolean => state.counters.step < totalSteps

/** Enqueues one step, then looks at the statistics of the one before. @throws MonosemError diverged, io */
export async function takeStep(trainee: Trainee, batch: Batch): Promise<void> {
  const { kernels, config, state, totalSteps, ranks } = trainee
  const options = {
    ...architectures[config.architecture].stepOptions(config, positionOf(trainee)),
    ...(ranks && { ranks }),
  }
  const { x, y } = ownRows(trainee, batch)
  const stats = kernels.saeStep(state, x, y, options)
  if (state.average) updateAverage(kernels, state.average, state.params, config.emaDecay, state.counters.step)
  const { step } = options.adam
  const logged = step % config.logEverySteps === 0 || step === totalSteps
  const reads = logged
    ? Promise.all([kernels.read(state.tokensSinceFired), kernels.read(state.running)])
    : null
  // whoever awaits them sees an error; these only keep one that comes earlier from ending the process
  stats.catch(() => {})
  reads?.catch(() => {})
  const before = trainee.pending
  trainee.pending = { batch: batch.index, options, stats, reads }
  state.counters.step++
  state.counters.batchesTaken = batch.index + 1
  if (before) await record(trainee, before)
}

/** This rank's tokens of a batch. */
function ownRows({ kernels, mesh }: Trainee, { x, y }: Batch): { x: Tensor; y: Tensor } {
  if (mesh.data.size === 1) return { x, y }
  const { first, count } = sliceOf(x.shape[0], mesh.data)
  const own = kernels.rows(x, first, count)
  return { x: own, y: y === x ? own : kernels.rows(y, first, count) }
}

/** Waits for everything enqueued. @throws MonosemError diverged, io */
export async function settle(trainee: Trainee): Promise<void> {
  const last = trainee.pending
  trainee.pending = null
  if (last) await record(trainee, last)
}

/** Checks a step's statistics, adds them up, and writes a line of metrics when it is due. */
async function record(trainee: Trainee, { batch, options, stats, reads }: PendingStep): Promise<void> {
  const { config, log, source, limits, mesh } = trainee
  const { counters } = trainee.state
  const { batchSize } = config
  const found = await stats
  if (found.badRow >= 0 && config.badActivations === 'stop')
    throw await badActivation(source, { batch, row: found.badRow, batchSize })
  counters.skippedRows += found.skippedRows
  if (found.skippedRows < batchSize) {
    requireHealthy(found, source.dOut ?? source.d, options.adam.step)
    addToWindow(log, counters.window, found)
    const explainedVariance = 1 - found.squaredError / counters.variance
    const ofPeak = shareOfPeak(found, limits)
    trainee.figures = { l0: found.l0, explainedVariance, precision: found.precision, ofPeak }
  } else counters.window.skippedRows += found.skippedRows
  if (!reads) return
  const [tokensSinceFired, running] = await reads
  const dead = await deadOnAllRanks(mesh, tokensSinceFired, config)
  await writeLine(log, config, counters, { options, stats: found, dead, running, limits, mesh })
}

async function deadOnAllRanks(
  { features }: Mesh,
  tokensSinceFired: ArrayLike<number>,
  { deadAfterTokens }: ResolvedSaeConfig,
): Promise<number> {
  const [dead] = await features.sum([countDead(tokensSinceFired, deadAfterTokens)])
  return dead
}

/** How many times the squared norm of the targets an error may be: the start values stay far below, a run that diverges does not. */
const hopeless = 1e6

/** @param d width of the targets, and so the square of their mean norm */
function requireHealthy(stats: SaeStepStats, d: number, step: number): void {
  const { squaredError, sparsity, auxLoss, preActLoss } = stats
  const finite = [sparsity, auxLoss, preActLoss].every(Number.isFinite)
  if (finite && squaredError < hopeless * d) return
  throw new MonosemError(
    'diverged',
    `sae: expected a squared error near the squared norm ${d} of the activations, got ${squaredError} in step ${step}`,
    {
      hint: 'the last checkpoint is kept; start again in another directory with a lower --learning-rate',
    },
  )
}

/** Resamples dead features when it is time to. The batches that it looks at are those of the steps to come. */
export async function resampleIfDue(trainee: Trainee, stream: BatchStream): Promise<void> {
  const { kernels, config, state } = trainee
  const { step } = state.counters
  if (!trainee.resampleSteps.has(step)) return
  await settle(trainee)
  const architecture = architectures[config.architecture]
  const options = architecture.stepOptions(config, positionOf(trainee))
  const { sparsity } = options
  const ahead = stream.peek(Math.ceil(config.resampleTokens / config.batchSize))
  const count = await resampleDeadFeatures(kernels, state, ahead, {
    deadAfterTokens: config.deadAfterTokens,
    form: perToken(options.form),
    l1Coefficient: sparsity.kind === 'l1' && !sparsity.byDecoderNorm ? sparsity.coefficient : 0,
    unitNormDecoder: options.unitNormDecoder,
    featureStart: architecture.featureStart(config),
    random: Random.named(config.seed, `resample before step ${step}`),
    mesh: trainee.mesh,
  })
  if (count > 0) trainee.progress.note(`step ${step}: resampled ${count} of ${config.features} features`)
}

/** A forward pass in which tokens do not depend on one another: topk in place of batchtopk. */
function perToken(form: SaeForm): SaeForm {
  const { activation } = form
  return activation.kind === 'batchtopk' ? { ...form, activation: { kind: 'topk', k: activation.k } } : form
}

/** Writes a checkpoint, once everything enqueued is done. @throws MonosemError diverged, io */
export async function saveTrainee(trainee: Trainee): Promise<void> {
  await settle(trainee)
  trainee.state.counters.logBytes = bytesOf(trainee.log)
  await saveTrainState(trainee.kernels, trainee.state, trainee.directory, trainee.share)
}

/** Gives the memory back. */
export function freeTrainee({ kernels, state }: Trainee): void {
  freeTrainState(kernels, state)
}

/** What is left of an autoencoder when its training is over: of this rank's features. Activations are still scaled. */
export interface Trained extends Inference {
  config: ResolvedSaeConfig
  share: SaeShare
  counters: TrainState['counters']
  /** share of the features that did not fire in the last `deadAfterTokens` tokens */
  deadFraction: number
  /** number format in which the last step looked for active features */
  precision: SaePrecision
}

/** Reads what was trained (the moving average where one is kept) in the form for inference. */
export async function readTrained(trainee: Trainee): Promise<Trained> {
  const { kernels, config, state, share } = trainee
  await settle(trainee)
  const architecture = architectures[config.architecture]
  const arrays = await readSae(kernels, state.average ?? state.params)
  if (state.average && architecture.stepOptions(config, positionOf(trainee)).unitNormDecoder)
    normaliseDecoderRows(arrays)
  const running = await kernels.read(state.running)
  const dead = await deadOnAllRanks(share.mesh, await kernels.read(state.tokensSinceFired), config)
  return {
    ...architecture.toInference(config, arrays, running[saeRunning.threshold]),
    config,
    share,
    counters: state.counters,
    deadFraction: dead / config.features,
    precision: trainee.figures?.precision ?? state.packed.precision,
  }
}
