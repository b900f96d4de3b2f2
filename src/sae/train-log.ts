import type { Traffic } from '../distributed/communicator.js'
import type { Mesh } from '../distributed/mesh.js'
import { eventFileName, eventFileStart, scalarEvent } from '../formats/tensorboard.js'
import type { SaeStepOptions, SaeStepStats } from '../kernels/kernels.js'
import { saeRunning } from '../kernels/sae-kernels.js'
import type { Json } from '../storage/stage.js'
import { type AppendLog, noAppendLog, openAppendLog } from './append-log.js'
import { fractionOfPeak } from './fraction-of-peak.js'
import type { ResolvedSaeConfig } from './sae-config.js'
import { emptyWindow, type TrainCounters, type TrainWindow } from './train-state.js'

/**
 * The files that training appends lines to: metrics.jsonl holds what the training computes, the same to the byte whenever and however
 * often it is interrupted; timings.jsonl how long it took; the event file is metrics.jsonl for TensorBoard.
 */
export interface TrainLog {
  metrics: AppendLog
  timings: AppendLog
  events: AppendLog | null
  /** since the last line */
  clock: {
    since: number
    steps: number
    encodeMs: number
    decodeMs: number
    updateMs: number
    /** of this rank when the clock was started */
    traffic: Traffic
  }
}

/** What a line needs besides the sums over steps. */
export interface AtLine {
  /** of the last step */
  options: SaeStepOptions
  stats: SaeStepStats
  /** features of all ranks that have not fired for `deadAfterTokens` tokens */
  dead: number
  /** [SAE_RUNNING] */
  running: ArrayLike<number>
  limits: Limits
  mesh: Mesh
}

/** What the speed of a step is compared with. */
export interface Limits {
  /** this rank's tokens of a batch, D, and this rank's features */
  shape: { n: number; d: number; f: number }
  /** fp32 operations per second, 0 when not known */
  peak: number
}

/** All ranks have the same statistics; rank 0 alone writes them down. @throws MonosemError io */
export async function openTrainLog(
  directory: string,
  config: ResolvedSaeConfig,
  { logBytes }: TrainCounters,
  mesh: Mesh,
): Promise<TrainLog> {
  const open = (name: string, bytes: number) =>
    mesh.world.rank === 0 ? openAppendLog(directory, name, bytes) : noAppendLog()
  const log: TrainLog = {
    metrics: await open('metrics.jsonl', logBytes.metrics),
    timings: await open('timings.jsonl', logBytes.timings),
    events: config.tensorboard ? await open(eventFileName, logBytes.events) : null,
    clock: newClock(mesh),
  }
  if (log.events?.bytes === 0) await log.events.append(eventFileStart(Date.now() / 1000))
  return log
}

const newClock = (mesh: Mesh): TrainLog['clock'] => ({
  since: performance.now(),
  steps: 0,
  encodeMs: 0,
  decodeMs: 0,
  updateMs: 0,
  traffic: trafficOf(mesh),
})

/** What this rank's kernels sent to other ranks so far, and how long they waited. */
function trafficOf({ features, data }: Mesh): Traffic {
  const [first, second] = [features.traffic(), data.traffic()]
  return { bytes: first.bytes + second.bytes, seconds: first.seconds + second.seconds }
}

/** Lengths of the files, for a checkpoint. */
export const bytesOf = ({ metrics, timings, events }: TrainLog): TrainCounters['logBytes'] => ({
  metrics: metrics.bytes,
  timings: timings.bytes,
  events: events?.bytes ?? 0,
})

/** Adds one step to the sums since the last line. */
export function addToWindow(log: TrainLog, window: TrainWindow, stats: SaeStepStats): void {
  window.steps++
  for (const name of summed) window[name] += stats[name]
  window.maxDensity = Math.max(window.maxDensity, stats.maxDensity)
  log.clock.steps++
  for (const name of ['encodeMs', 'decodeMs', 'updateMs'] as const) log.clock[name] += stats[name]
}

const summed = [
  'squaredError',
  'prefixError',
  'sparsity',
  'l0',
  'auxLoss',
  'preActLoss',
  'gradientNorm',
  'skippedRows',
] as const

/** Writes a line to each file, and starts new sums. */
export async function writeLine(
  log: TrainLog,
  config: ResolvedSaeConfig,
  counters: TrainCounters,
  at: AtLine,
): Promise<void> {
  const { stats, limits, mesh } = at
  const { step } = at.options.adam
  const position = { step, tokens: step * config.batchSize }
  const line = { ...position, ...metricsOf(config, counters, at), precision: stats.precision }
  await log.metrics.append(`${JSON.stringify(line)}\n`)
  const { since, steps, traffic, ...phases } = log.clock
  const seconds = (performance.now() - since) / 1000
  const perStep = Object.entries(phases).map(([name, sum]) => [name, sum / steps])
  const timing = {
    ...position,
    samplesPerSecond: (steps * config.batchSize) / seconds,
    ...Object.fromEntries(perStep),
    fractionOfPeak: shareOfPeak(stats, limits),
    ...(mesh.world.size > 1 && exchangePerStep(mesh, traffic, steps)),
  }
  await log.timings.append(`${JSON.stringify(timing)}\n`)
  await log.events?.append(scalarEvent(Date.now() / 1000, step, numbersOf(line)))
  log.clock = newClock(mesh)
  counters.window = emptyWindow()
}

/** Who exchanged, and per step: time that the kernels of rank 0 spent in exchanges, and bytes that they sent. */
function exchangePerStep(mesh: Mesh, before: Traffic, steps: number): Record<string, number> {
  const { bytes, seconds } = trafficOf(mesh)
  return {
    featureRanks: mesh.features.size,
    dataRanks: mesh.data.size,
    exchangeMs: ((seconds - before.seconds) * 1000) / steps,
    exchangeBytes: (bytes - before.bytes) / steps,
  }
}

/** `fractionOfPeak` of one step, its work on the processor only; null where the peak is not known. */
export function shareOfPeak(
  { scanned, encodeMs, decodeMs, updateMs }: SaeStepStats,
  { shape, peak }: Limits,
): number | null {
  if (peak === 0) return null
  return fractionOfPeak(shape, { ms: encodeMs + decodeMs + updateMs, precision: scanned, peak })
}

/** What metrics.jsonl says about the steps since the last line: means, before each update. */
function metricsOf(
  config: ResolvedSaeConfig,
  { window, variance }: TrainCounters,
  { options: { adam, sparsity, auxK, form, ...options }, dead, running }: AtLine,
): Record<string, Json> {
  const mean = (name: (typeof summed)[number]): number => window[name] / window.steps
  const squaredError = mean('squaredError')
  const coefficient = sparsity.kind === 'none' ? 0 : sparsity.coefficient
  const preAct = sparsity.kind === 'tanh' ? sparsity.preAct : 0
  const auxiliary = auxK?.coefficient ?? (form.activation.kind === 'gated' ? 1 : 0)
  const penalties = coefficient * mean('sparsity') + preAct * mean('preActLoss') + auxiliary * mean('auxLoss')
  return {
    learningRate: adam.learningRate,
    loss: mean('prefixError') + penalties,
    squaredError,
    ...(options.prefixes && { prefixError: mean('prefixError') }),
    explainedVariance: 1 - squaredError / variance,
    sparsityCoefficient: coefficient,
    sparsity: mean('sparsity'),
    auxLoss: mean('auxLoss'),
    ...(sparsity.kind === 'tanh' && { preActLoss: mean('preActLoss') }),
    l0: mean('l0'),
    meanDensity: mean('l0') / config.features,
    maxDensity: window.maxDensity,
    dead,
    ...(options.gradientClip !== undefined && { gradientNorm: mean('gradientNorm') }),
    ...(form.activation.kind === 'batchtopk' && { threshold: running[saeRunning.threshold] }),
    ...(running[saeRunning.recallChecked] > 0 && {
      recall: 1 - running[saeRunning.recallMissed] / running[saeRunning.recallChecked],
    }),
    skippedRows: window.skippedRows,
  }
}

const numbersOf = (line: Record<string, Json>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(line).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  )
