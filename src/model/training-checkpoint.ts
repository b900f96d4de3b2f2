import { MonosemError } from '../errors/monosem-error.js'
import { loadCheckpoint, saveCheckpoint } from '../formats/checkpoint.js'
import type { SafeTensor } from '../formats/safetensors.js'
import type { Json } from '../storage/stage.js'
import { readTensors, writeTensors } from './model-files.js'
import type { Optimizer } from './optimizer.js'
import type { Transformer } from './transformer.js'

/** One line of metrics.jsonl: means over the steps since the line before. */
export interface TrainingMetrics {
  step: number
  /** tokens seen so far */
  tokens: number
  /** nats per token */
  loss: number
  /** L2 norm of the whole gradient before clipping */
  gradientNorm: number
  learningRate: number
}

/**
 * Everything about a running training that is not a tensor. The order of the text needs no state: it follows
 * from the seed and the step.
 */
export interface TrainingState {
  /** steps enqueued; at a checkpoint also done */
  step: number
  /** steps whose figures were taken in */
  recorded: number
  /** seconds of training, over all sessions */
  seconds: number
  /** sums of the figures since the last line of metrics */
  sums: { loss: number; gradientNorm: number; steps: number }
  metrics: TrainingMetrics[]
}

const newTraining = (): TrainingState => ({
  step: 0,
  recorded: 0,
  seconds: 0,
  sums: { loss: 0, gradientNorm: 0, steps: 0 },
  metrics: [],
})

const groups = (model: Transformer, optimizer: Optimizer) =>
  Object.entries({ p: model.params, m: optimizer.firstMoments, v: optimizer.secondMoments })

/**
 * Saves parameters, moments and state as the checkpoint in a directory.
 * @throws MonosemError diverged (a number is not finite: nothing is written, the checkpoint before stays), io
 */
export async function saveTraining(
  model: Transformer,
  optimizer: Optimizer,
  directory: string,
  state: TrainingState,
): Promise<void> {
  const stored: Record<string, SafeTensor> = {}
  for (const [prefix, tensors] of groups(model, optimizer))
    Object.assign(stored, await readTensors(model.kernels, tensors, `${prefix}.`))
  for (const [name, { data }] of Object.entries(stored))
    if (!data.every(Number.isFinite))
      throw new MonosemError(
        'diverged',
        `model/train: expected finite numbers, got NaN or infinity in ${name}`,
        {
          hint: 'train into a new directory with a lower --learning-rate or a longer --warmup-steps',
        },
      )
  await saveCheckpoint(directory, state as unknown as Json, stored)
}

/**
 * Puts the checkpoint of a directory into model and optimizer; without one the training starts from zero.
 * @throws MonosemError corrupt, missing, shape, io
 */
export async function loadTraining(
  model: Transformer,
  optimizer: Optimizer,
  directory: string,
): Promise<TrainingState> {
  const checkpoint = await loadCheckpoint(directory)
  if (!checkpoint) return newTraining()
  for (const [prefix, tensors] of groups(model, optimizer))
    writeTensors(model.kernels, tensors, checkpoint.tensors, `checkpoint in ${directory}`, `${prefix}.`)
  return checkpoint.state as unknown as TrainingState
}
