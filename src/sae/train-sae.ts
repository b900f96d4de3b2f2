import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, SaeStepOptions, SaeStepStats, Tensor } from '../kernels/kernels.js'
import { type ProgressTask, type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import type { ActivationSource } from './activation-source.js'
import { architectures } from './architectures.js'
import { type BatchStream, openBatchStream, requireFinite } from './batch-stream.js'
import { initialStatistics } from './initial-statistics.js'
import { type MetricsLog, openMetricsLog } from './metrics-log.js'
import { resampleDeadFeatures } from './resample.js'
import type { SaeConfig } from './sae-config.js'
import {
  countDead,
  emptyWindow,
  freeTrainState,
  loadTrainState,
  newTrainState,
  saveTrainState,
  type TrainState,
} from './train-state.js'

/** A step whose statistics have not been looked at yet: the next one is enqueued first, so that the kernels never wait. */
interface PendingStep {
  x: Tensor
  options: SaeStepOptions
  stats: Promise<SaeStepStats>
  /** [F] tokensSinceFired after the step, only where a line of metrics is due */
  counts: Promise<Float32Array | Int32Array> | null
}

/** One training run in one directory. */
interface Run {
  kernels: Kernels
  config: SaeConfig
  directory: string
  context: StageContext
  state: TrainState
  stream: BatchStream
  log: MetricsLog
  task: ProgressTask
  totalSteps: number
  resampleSteps: Set<number>
  pending: PendingStep | null
}

/**
 * Trains an autoencoder, or goes on from the checkpoint in `directory`; the result is the same to the bit. Writes
 * metrics.jsonl and checkpoints there. The returned state is in units of scaled activations (see `foldActivationScale`); the
 * caller frees it, and closes the stream, whose next batches were not trained on.
 * @throws MonosemError diverged (NaN or infinity: the last checkpoint is kept), interrupted (after saving one), corrupt
 */
export async function trainSae(
  kernels: Kernels,
  source: ActivationSource,
  config: SaeConfig,
  directory: string,
  context: StageContext,
): Promise<{ state: TrainState; stream: BatchStream }> {
  const { state, stream } = await startOrResume(kernels, source, config, directory)
  const totalSteps = Math.ceil(config.trainTokens / config.batchSize)
  const run: Run = {
    kernels,
    config,
    directory,
    context,
    state,
    stream,
    log: await openMetricsLog(directory, state.counters.metricsBytes),
    task: context.progress.start('train the autoencoder', totalSteps * config.batchSize, 'tokens'),
    totalSteps,
    resampleSteps: resampleSteps(config, totalSteps),
    pending: null,
  }
  try {
    await trainLoop(run)
    run.task.end()
    return { state, stream }
  } catch (error) {
    run.task.end()
    await kernels.finish().catch(() => {})
    await stream.close()
    freeTrainState(kernels, state)
    throw error
  }
}

async function startOrResume(
  kernels: Kernels,
  source: ActivationSource,
  config: SaeConfig,
  directory: string,
): Promise<{ state: TrainState; stream: BatchStream }> {
  const resumed = await loadTrainState(kernels, directory, config.features, source.d)
  if (resumed) {
    const { batchesTaken: taken, activationScale: scale } = resumed.counters
    return { state: resumed, stream: openBatchStream(kernels, source, config.batchSize, { taken, scale }) }
  }
  const stream = openBatchStream(kernels, source, config.batchSize)
  try {
    const { scale, median, variance } = await initialStatistics(kernels, stream, source.d, config.initTokens)
    stream.scale = scale
    const random = Random.named(config.seed, 'sae parameters')
    const arrays = architectures[config.architecture].initialise(config, median, random)
    const counters = { batchesTaken: stream.taken, activationScale: scale, variance }
    return { state: newTrainState(kernels, arrays, counters), stream }
  } catch (error) {
    await stream.close()
    throw error
  }
}

/** 0-based steps before which dead features are resampled. */
function resampleSteps(config: SaeConfig, totalSteps: number): Set<number> {
  if (!architectures[config.architecture].resamples) return new Set()
  return new Set(config.resampleAt.map((fraction) => Math.round(fraction * totalSteps)))
}

async function trainLoop(run: Run): Promise<void> {
  const { counters } = run.state
  let sessionStart = performance.now()
  let checkpointAt = sessionStart + run.config.checkpointEverySeconds * 1000
  while (counters.step < run.totalSteps) {
    if (run.resampleSteps.has(counters.step)) await resample(run)
    await takeStep(run)
    const due = performance.now() >= checkpointAt
    const last = counters.step === run.totalSteps
    if (!due && !last && !run.context.signal?.aborted) continue
    await settle(run)
    counters.seconds += (performance.now() - sessionStart) / 1000
    if (!last) await checkpoint(run)
    throwIfInterrupted(last ? undefined : run.context.signal)
    sessionStart = performance.now()
    checkpointAt = sessionStart + run.config.checkpointEverySeconds * 1000
  }
}

/** Enqueues one step, then looks at the statistics of the one before. */
async function takeStep(run: Run): Promise<void> {
  const { kernels, config, state, totalSteps } = run
  const { step } = state.counters
  const x = await run.stream.next()
  const options = architectures[config.architecture].stepOptions(config, { step, totalSteps })
  const stats = kernels.saeStep(state.params, state.m, state.v, state.tokensSinceFired, x, options)
  const logged = options.adam.step % config.logEverySteps === 0 || options.adam.step === totalSteps
  const counts = logged ? kernels.read(state.tokensSinceFired) : null
  // whoever awaits them sees an error; these only keep one that comes earlier from ending the process
  stats.catch(() => {})
  counts?.catch(() => {})
  const before = run.pending
  run.pending = { x, options, stats, counts }
  state.counters.step++
  if (before) await record(run, before)
}

/** Waits for everything enqueued. */
async function settle(run: Run): Promise<void> {
  const last = run.pending
  run.pending = null
  if (last) await record(run, last)
}

/** Checks a step's statistics, adds them up, and writes a line of metrics when it is due. */
async function record(run: Run, { x, options, stats, counts }: PendingStep): Promise<void> {
  const found = await stats
  await requireHealthy(run, found, x, options.adam.step)
  const { counters } = run.state
  const { window } = counters
  window.steps++
  window.squaredError += found.squaredError
  window.l1 += found.l1
  window.l0 += found.l0
  window.auxLoss += found.auxLoss
  const tokens = options.adam.step * run.config.batchSize
  run.task.update(tokens, {
    L0: found.l0.toFixed(1),
    EV: `${(100 * (1 - found.squaredError / counters.variance)).toFixed(1)}%`,
  })
  if (!counts) return
  const dead = countDead(await counts, run.config.deadAfterTokens)
  const squaredError = window.squaredError / window.steps
  await run.log.append({
    step: options.adam.step,
    tokens,
    learningRate: options.adam.learningRate,
    l1Coefficient: options.l1Coefficient,
    squaredError,
    explainedVariance: 1 - squaredError / counters.variance,
    l1: window.l1 / window.steps,
    l0: window.l0 / window.steps,
    auxLoss: window.auxLoss / window.steps,
    dead,
  })
  counters.window = emptyWindow()
}

async function requireHealthy(run: Run, stats: SaeStepStats, x: Tensor, step: number): Promise<void> {
  if (Number.isFinite(stats.squaredError) && Number.isFinite(stats.l1) && Number.isFinite(stats.auxLoss))
    return
  requireFinite(await run.kernels.readF32(x), x.shape[1])
  throw new MonosemError(
    'diverged',
    `sae: the loss of step ${step} is not a number (${stats.squaredError})`,
    {
      hint: 'the last checkpoint is kept; start again in another directory with a lower --learning-rate',
    },
  )
}

async function resample(run: Run): Promise<void> {
  const { kernels, config, state, stream, totalSteps } = run
  await settle(run)
  const { step } = state.counters
  const architecture = architectures[config.architecture]
  const count = await resampleDeadFeatures(kernels, state, stream, {
    deadAfterTokens: config.deadAfterTokens,
    tokens: config.resampleTokens,
    activation: architecture.activation(config),
    l1Coefficient: architecture.stepOptions(config, { step, totalSteps }).l1Coefficient,
    random: Random.named(config.seed, `resample before step ${step}`),
  })
  if (count > 0) run.context.progress.note(`step ${step}: resampled ${count} of ${config.features} features`)
}

async function checkpoint(run: Run): Promise<void> {
  const { counters } = run.state
  counters.batchesTaken = run.stream.taken
  counters.metricsBytes = run.log.bytes
  await saveTrainState(run.kernels, run.state, run.directory)
}
