import type { Kernels } from '../kernels/kernels.js'
import { saeConfigSchema } from '../sae/sae-config.js'
import type { CostConfig } from './cost-config.js'
import { type RankSplit, ranksFor } from './rank-split.js'
import { isByCount, probeSteps, type StepTime, stepSeconds } from './step-probe.js'
import {
  type TokenFlops,
  type TrainingDisk,
  type TrainingMemory,
  type TrainingShape,
  tokenFlops,
  trainingDisk,
  trainingMemory,
} from './training-cost.js'

/** What training one autoencoder will need. */
export interface SizeCost {
  features: number
  steps: number
  /** W_enc, W_dec and biases */
  parameters: number
  flops: TokenFlops
  memory: TrainingMemory
  disk: TrainingDisk
  /** on this machine, steps alone; null without a probe */
  seconds: number | null
  /** size over the largest that was timed: above 1 the time is extrapolated along the line of `StepTime` */
  beyondProbe: number | null
  /** the fewest ranks (a power of two) whose memory suffices; null where no number does */
  split: RankSplit | null
  /** steps alone, if every rank were this machine and exchanged for nothing */
  rankSeconds: number | null
}

export interface CostEstimate {
  config: CostConfig
  /** null without a probe */
  stepTime: StepTime | null
  /** of the model's forward passes at the processor's peak, so a lower bound; null where it is not asked for or not known */
  modelSeconds: number | null
  /** bytes of one rank */
  rankBytes: number
  sizes: SizeCost[]
}

/**
 * What training will need, before it begins: time from steps that are measured at a feasible size, memory and disk from the shapes.
 * @param rankBytes memory of one rank
 * @throws MonosemError config
 */
export async function estimateCost(
  kernels: Kernels,
  config: CostConfig,
  rankBytes: number,
): Promise<CostEstimate> {
  const stepTime = config.probe ? await probe(kernels, config) : null
  const { modelParameters, tokens } = config
  const peak = stepTime?.peak ?? 0
  return {
    ...{ config, stepTime, rankBytes },
    modelSeconds: modelParameters !== undefined && peak > 0 ? (2 * modelParameters * tokens) / peak : null,
    sizes: config.features.map((features) => sizeCost(config, features, stepTime, rankBytes)),
  }
}

/** Sizes of the timed steps: as large as `probeMb` allows, half of it and a quarter. */
function probe(kernels: Kernels, config: CostConfig): Promise<StepTime> {
  const { architecture, batchSize, precision, d, k: active } = config
  const largest = Math.min(Math.max(...config.features), Math.floor((config.probeMb * 1e6) / (4 * d)))
  const sizes = [largest / 4, largest / 2, largest].map((size) => Math.max(active, Math.floor(size)))
  return probeSteps(kernels, {
    config: saeConfigSchema.parse({ architecture, batchSize, precision }),
    ...{ d, active },
    sizes: [...new Set(sizes)],
  })
}

function sizeCost(
  config: CostConfig,
  features: number,
  stepTime: StepTime | null,
  rankBytes: number,
): SizeCost {
  const { d, k: active, batchSize, tokens, bufferTokens, activationDtype } = config
  const asked = config.precision === 'auto' ? 'bf16' : config.precision
  const bytes = activationDtype === 'bf16' ? 2 : 4
  const shape: TrainingShape = {
    ...{ d, features, active, batchSize, bufferTokens },
    bufferBytes: bytes,
    prefixes: config.architecture === 'matryoshka' ? 5 : 1,
    precision: stepTime?.precision ?? asked,
  }
  const memory = trainingMemory(shape)
  const steps = Math.ceil(tokens / batchSize)
  const split = ranksFor(shape, rankBytes, isByCount(config))
  const timed = stepTime && Math.max(...stepTime.probes.map((measured) => measured.features))
  return {
    ...{ features, steps, parameters: memory.parameters / 4, flops: tokenFlops(shape), memory },
    disk: trainingDisk(shape, tokens, bytes),
    seconds: stepTime && steps * stepSeconds(stepTime, features),
    beyondProbe: timed && features / timed,
    split,
    rankSeconds: stepTime && split && steps * stepSeconds(stepTime, split.features),
  }
}
