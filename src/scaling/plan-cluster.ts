import { MonosemError } from '../errors/monosem-error.js'
import type { CommReport } from './comm-model.js'
import type { PlanConfig } from './plan-config.js'
import {
  auxKExchanges,
  type ExchangedThing,
  exchangeTime,
  featuresOf,
  type RankStep,
  rowsOf,
  sentBytes,
  stepExchanges,
} from './step-exchanges.js'
import { type TrainingMemory, tokenFlops, trainingMemory } from './training-cost.js'

/** What one rank computes with. */
export interface RankSpeed {
  threads: number
  /** operations a second that a thread reaches in training */
  flopsPerThread: number
  /** bytes a second */
  memoryBandwidth: number
}

/** Bytes of one rank. */
export interface RankMemory extends TrainingMemory {
  /** rows of the batch that other replicas train on: every rank has all of it */
  otherRows: number
  /** the largest activations of every token, of this rank and of the others */
  candidates: number
  /** what sums and gathers need besides their results, and gradients on their way to other replicas */
  exchange: number
  /** Node.js and the kernels' scratch memory */
  node: number
  /** of all of these while a checkpoint is written */
  peak: number
}

/** Seconds of one step of one rank. */
export interface StepSeconds {
  /** finding active features, decoding, gradients */
  arithmetic: number
  /** Adam: parameters and moments are read and written once */
  memory: number
  /** exchanges: what every message costs, and what every byte costs; null without a measurement of them */
  latency: number | null
  transfer: number | null
  total: number
}

/** Which of the parts of a step takes longest. */
export type Limit = 'arithmetic' | 'memory' | 'latency' | 'transfer'

/** One way to arrange the ranks. */
export interface MeshPlan {
  featureRanks: number
  dataRanks: number
  /** of the rank that has most */
  features: number
  rows: number
  memory: RankMemory
  fits: boolean
  /** bytes that a rank sends in a step */
  sent: Record<ExchangedThing | 'total', number>
  /** bytes that it sends besides while there are dead features, with AuxK's default */
  sentForDead: number
  /** null without the speed of a rank */
  step: StepSeconds | null
  limit: Limit | null
  /** of the whole training */
  seconds: number | null
  /** throughput over that of one rank with all features, times the number of ranks */
  efficiency: number | null
}

export interface ClusterPlan {
  config: PlanConfig
  ranks: number
  steps: number
  /** memory of one rank, bytes */
  rankBytes: number
  /** bytes of activations that every rank reads in a step, where they are stored */
  readPerStep: number
  speed: RankSpeed | null
  comm: CommReport | null
  /** as asked for, or the fastest that fits */
  chosen: MeshPlan
  meshes: MeshPlan[]
  warnings: string[]
}

export interface PlanInputs {
  /** bytes of a machine */
  nodeBytes: number
  speed: RankSpeed | null
  comm: CommReport | null
}

/** Measured: what is resident besides weights and activations (docs/performance.md). */
const nodeBytes = 180 * 2 ** 20
/** Copies of the whole batch on every rank: as the source gives it, readable, and scaled. */
const wholeCopies = 3
const blockFeatures = 2048
const defaultAuxK = 256

/**
 * Memory, bytes on the wire and time of training one autoencoder on many ranks, for every way to arrange them.
 * @throws MonosemError config: --feature-ranks x --data-ranks are not the ranks that there are, or there are fewer features or tokens than ranks for them
 */
export function planCluster(config: PlanConfig, inputs: PlanInputs): ClusterPlan {
  const ranks = config.nodes * config.ranksPerNode
  const rankBytes = inputs.nodeBytes / config.ranksPerNode
  const alone = meshPlan(config, { featureRanks: 1, dataRanks: 1 }, inputs, rankBytes)
  const meshes = divisors(ranks)
    .map((featureRanks) => ({ featureRanks, dataRanks: ranks / featureRanks }))
    .filter(({ featureRanks, dataRanks }) => featureRanks <= config.features && dataRanks <= config.batchSize)
    .map((mesh) => withEfficiency(meshPlan(config, mesh, inputs, rankBytes), alone, ranks))
  const chosen = chooseMesh(config, meshes, ranks)
  return {
    ...{ config, ranks, rankBytes, meshes, chosen },
    steps: stepsOf(config),
    readPerStep: config.batchSize * config.d * (config.activationDtype === 'bf16' ? 2 : 4),
    speed: inputs.speed,
    comm: inputs.comm,
    warnings: warningsOf(config, chosen, meshes, inputs),
  }
}

const stepsOf = ({ tokens, batchSize }: PlanConfig): number => Math.ceil(tokens / batchSize)

const divisors = (n: number): number[] =>
  Array.from({ length: n }, (_, i) => i + 1).filter((candidate) => n % candidate === 0)

function meshPlan(
  config: PlanConfig,
  mesh: { featureRanks: number; dataRanks: number },
  { speed, comm }: PlanInputs,
  rankBytes: number,
): MeshPlan {
  const prefixes = config.architecture === 'matryoshka' ? 5 : 1
  const rankStep: RankStep = { ...config, ...mesh, prefixes, gradients: config.exchangeGradients }
  const exchanges = stepExchanges(rankStep)
  const memory = rankMemory(config, rankStep)
  const step = speed && stepSeconds(config, rankStep, speed, comm && exchangeTime(exchanges, comm))
  return {
    ...mesh,
    features: featuresOf(rankStep),
    rows: rowsOf(rankStep),
    memory,
    fits: memory.peak <= rankBytes,
    sent: sentBytes(exchanges),
    sentForDead: sentBytes(auxKExchanges(rankStep, defaultAuxK)).total,
    step,
    limit: step && limitOf(step),
    seconds: step && step.total * stepsOf(config),
    efficiency: null,
  }
}

function withEfficiency(mesh: MeshPlan, alone: MeshPlan, ranks: number): MeshPlan {
  const known = mesh.step && alone.step && (ranks === 1 || mesh.step.latency !== null)
  return known ? { ...mesh, efficiency: alone.step!.total / (ranks * mesh.step!.total) } : mesh
}

function rankMemory(config: PlanConfig, step: RankStep): RankMemory {
  const { d, k, batchSize, exchangeGradients, precision, bufferTokens, activationDtype } = config
  const { featureRanks, dataRanks, prefixes = 1 } = step
  const [rows, features] = [rowsOf(step), featuresOf(step)]
  const memory = trainingMemory({
    ...{ d, features, batchSize: rows, prefixes, precision, bufferTokens },
    active: Math.min(k, features),
    bufferBytes: activationDtype === 'bf16' ? 2 : 4,
  })
  const otherRows = wholeCopies * 4 * d * (batchSize - rows)
  // this rank's keys, and everyone's for the rows that it decides on, twice
  const candidates = config.architecture === 'topk' && featureRanks > 1 ? 3 * 8 * rows * (k + 1) : 0
  // terms of everyone and their sums; bf16 also needs what goes out
  const sumScratch = (numbers: number, ranks: number, width: number): number =>
    ranks === 1 ? 0 : width * numbers * (1 + 1 / ranks + (width === 2 ? 1 : 0))
  const gradients = Math.min(blockFeatures, features) * 2 * d
  const exchange =
    sumScratch(rows * d * prefixes, featureRanks, 4) +
    (dataRanks > 1
      ? 4 * gradients + sumScratch(gradients, dataRanks, exchangeGradients === 'bf16' ? 2 : 4)
      : 0)
  const total = memory.total + otherRows + candidates + exchange + nodeBytes
  return {
    ...memory,
    ...{ otherRows, candidates, exchange, node: nodeBytes, total },
    peak: total + memory.checkpoint,
  }
}

function stepSeconds(
  config: PlanConfig,
  step: RankStep,
  speed: RankSpeed,
  exchange: { latency: number; transfer: number } | null,
): StepSeconds {
  const { threads, flopsPerThread, memoryBandwidth } = speed
  const arithmetic = stepFlops(config, step) / (threads * flopsPerThread)
  const memory = updateBytes(config.d, featuresOf(step)) / memoryBandwidth
  const { latency, transfer } = exchange ?? { latency: null, transfer: null }
  return {
    ...{ arithmetic, memory, latency, transfer },
    total: arithmetic + memory + (latency ?? 0) + (transfer ?? 0),
  }
}

/** FLOP of one rank: it encodes its rows by its features, and has its share of the active pairs. Adam is counted by its memory. */
export function stepFlops(
  { d, k }: Pick<PlanConfig, 'd' | 'k'>,
  step: Pick<RankStep, 'batchSize' | 'dataRanks' | 'features' | 'featureRanks' | 'prefixes'>,
): number {
  const { prefixes, featureRanks } = step
  const [batchSize, features] = [rowsOf(step), featuresOf(step)]
  const perToken = tokenFlops({
    ...{ d, features, active: k / featureRanks, batchSize, prefixes },
    ...{ precision: 'bf16', bufferTokens: 0, bufferBytes: 2 },
  }).sparse
  return batchSize * perToken - adamFlops(d, features)
}

const adamFlops = (d: number, features: number): number => 12 * 2 * d * features

/** Bytes that an update moves: W_enc, W_dec and both moments of each, f32, read and written; and W_enc packed again. */
export const updateBytes = (d: number, features: number): number => d * features * (2 * 3 * 2 * 4 + 2)

function limitOf({ arithmetic, memory, latency, transfer }: StepSeconds): Limit {
  const parts = { arithmetic, memory, latency: latency ?? 0, transfer: transfer ?? 0 }
  return (Object.keys(parts) as Limit[]).reduce((most, part) => (parts[part] > parts[most] ? part : most))
}

/** What was asked for; else the fastest that fits, or of those that do not the smallest. Without times, the one that sends least. */
function chooseMesh(config: PlanConfig, meshes: readonly MeshPlan[], ranks: number): MeshPlan {
  const { featureRanks, dataRanks } = config
  if (featureRanks !== undefined || dataRanks !== undefined) {
    const columns = featureRanks ?? ranks / (dataRanks as number)
    const rows = dataRanks ?? ranks / columns
    const asked = meshes.find((mesh) => mesh.featureRanks === columns && mesh.dataRanks === rows)
    if (asked) return asked
    throw new MonosemError(
      'config',
      `--feature-ranks, --data-ranks: expected two numbers whose product is the ${ranks} ranks of --nodes x --ranks-per-node, ` +
        `no more than ${config.features} features and ${config.batchSize} tokens, got ${featureRanks ?? 'any'} x ${dataRanks ?? 'any'}`,
      { hint: 'leave one of the two out, or both' },
    )
  }
  const fitting = meshes.filter(({ fits }) => fits)
  const least = (of: readonly MeshPlan[], cost: (mesh: MeshPlan) => number): MeshPlan =>
    of.reduce((best, mesh) => (cost(mesh) < cost(best) ? mesh : best))
  if (meshes.length === 0)
    throw new MonosemError(
      'config',
      `expected at least one feature and one token for each of ${ranks} ranks`,
      {
        hint: 'use fewer ranks or a larger --batch-size',
      },
    )
  return fitting.length > 0
    ? least(fitting, ({ step, sent }) => step?.total ?? sent.total)
    : least(meshes, ({ memory }) => memory.peak)
}

function warningsOf(
  config: PlanConfig,
  chosen: MeshPlan,
  meshes: readonly MeshPlan[],
  { comm, speed }: PlanInputs,
): string[] {
  const warnings: string[] = []
  if (!chosen.fits)
    warnings.push(
      meshes.some(({ fits }) => fits)
        ? 'this arrangement does NOT fit in memory; another one in the table does'
        : 'NO arrangement fits in memory: use more machines, or fewer ranks with more threads on each',
    )
  if (config.features % chosen.featureRanks !== 0)
    warnings.push(
      `${config.features} features over ${chosen.featureRanks} ranks: some have one more than others`,
    )
  if (speed === null) warnings.push('no times: nothing was measured on this machine (--no-probe)')
  if (comm === null && meshes.length > 1)
    warnings.push(
      'times are without exchanges: measure them with mpirun ... monosem bench comm --out comm.json, and pass --comm comm.json',
    )
  if (comm && meshes.length > 1 && comm.ranksPerNode !== config.ranksPerNode)
    warnings.push(
      `exchanges were measured with ${comm.ranksPerNode} ranks on a machine, not ${config.ranksPerNode}: ranks of one machine share its network`,
    )
  if (comm && config.nodes > 1 && comm.ranks <= comm.ranksPerNode)
    warnings.push('exchanges were measured on one machine: between machines they take longer')
  return warnings
}
