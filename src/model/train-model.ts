import { setImmediate } from 'node:timers/promises'
import type { TokenSplit } from '../corpus/corpus.js'
import { fillWindows, windowCount } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type ProgressTask, type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { ModelConfig } from './model-config.js'
import { createOptimizer, type Optimizer } from './optimizer.js'
import { learningRateAt } from './schedule.js'
import {
  loadTraining,
  saveTraining,
  type TrainingMetrics,
  type TrainingState,
} from './training-checkpoint.js'
import { backward, createWorkspace, forward, freeWorkspace, loss, type Transformer } from './transformer.js'
import { createWindowOrder } from './window-order.js'

export interface TrainingResult {
  steps: number
  trainTokens: number
  metrics: TrainingMetrics[]
  /** over all sessions, checkpoints included */
  tokensPerSecond: number
}

/** What a step leaves behind when the kernels are done with it. */
interface StepFigures {
  loss: number
  gradientNorm: number
}

/** metrics.jsonl has about this many lines, whatever the length of the training. */
const METRICS_LINES = 400

/** Steps of a training over a split of so many windows, and tokens per step. */
function trainingSteps(config: ModelConfig, windows: number): { steps: number; tokensPerStep: number } {
  const tokensPerStep = config.batchSize * config.context
  const tokens = config.trainTokens || windows * config.context
  return { steps: Math.max(1, Math.floor(tokens / tokensPerStep)), tokensPerStep }
}

/**
 * Trains the model in place with AdamW on the windows of a split. Goes on from the checkpoint in `directory`
 * when there is one, and ends with the same bits as a training that was never stopped.
 * @param directory where checkpoints are kept
 * @throws MonosemError config, interrupted (after saving a checkpoint), diverged (the last good checkpoint
 * stays), corrupt, io
 */
export async function trainModel(
  model: Transformer,
  split: TokenSplit,
  config: ModelConfig,
  directory: string,
  context: StageContext,
): Promise<TrainingResult> {
  const { steps, tokensPerStep } = trainingSteps(config, windowCount(split, config.context))
  const optimizer = createOptimizer(model, config)
  const training: Training = { model, optimizer, split, config, steps, tokensPerStep }
  try {
    const state = await loadTraining(model, optimizer, directory)
    const task = context.progress.start('model', steps * tokensPerStep, 'tokens')
    await runSteps(training, state, directory, task, context.signal)
    task.end(`loss ${state.metrics.at(-1)?.loss.toFixed(3)}`)
    const trainTokens = steps * tokensPerStep
    return { steps, trainTokens, metrics: state.metrics, tokensPerSecond: trainTokens / state.seconds }
  } finally {
    optimizer.free()
  }
}

/** What stays the same during a training. */
interface Training {
  model: Transformer
  optimizer: Optimizer
  split: TokenSplit
  config: ModelConfig
  steps: number
  tokensPerStep: number
}

async function runSteps(
  training: Training,
  state: TrainingState,
  directory: string,
  task: ProgressTask,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { model, optimizer, config, steps } = training
  const step = createStep(training)
  const began = performance.now() - state.seconds * 1000
  let saved = performance.now()
  let pending: Promise<StepFigures> | null = null
  try {
    while (state.step < steps) {
      // The step before is waited for only after this one is enqueued, so the kernels always have work.
      const figures = step.run(state.step)
      // Looked at one step later; without this a failure of the step before would leave it unobserved.
      figures.catch(() => {})
      if (pending) record(training, state, await pending, task)
      pending = figures
      state.step++
      // Lets timers and signals in, also with kernels that compute during the call.
      await setImmediate()
      const due = performance.now() - saved >= config.checkpointEverySeconds * 1000
      if (!due && !signal?.aborted && state.step < steps) continue
      record(training, state, await pending, task)
      pending = null
      state.seconds = (performance.now() - began) / 1000
      await saveTraining(model, optimizer, directory, state)
      saved = performance.now()
      if (state.step < steps) throwIfInterrupted(signal)
    }
  } finally {
    // Whatever failed, nothing is freed under a running kernel.
    await model.kernels.finish().catch(() => {})
    step.free()
  }
}

/** The function that enqueues one whole training step (0-based) and resolves with its figures. */
function createStep({ model, optimizer, split, config, steps }: Training) {
  const { kernels } = model
  const workspace = createWorkspace(model, config.batchSize, config.context)
  const order = createWindowOrder(windowCount(split, config.context), config.seed)
  const schedule = { ...config, totalSteps: steps }
  const run = async (step: number): Promise<StepFigures> => {
    const batch = fillWindows(split, config.context, order(step * config.batchSize, config.batchSize))
    const counted = batch.targets.reduce((count, target) => count + (target >= 0 ? 1 : 0), 0)
    forward(model, workspace, batch)
    const losses = kernels.readF32(loss(model, workspace))
    optimizer.zeroGradients()
    backward(model, workspace, optimizer.gradients, 1 / Math.max(1, counted))
    const norm = kernels.readF32(optimizer.update(step + 1, learningRateAt(step + 1, schedule)))
    const [lossValues, [gradientNorm]] = await Promise.all([losses, norm])
    return { loss: lossValues.reduce((sum, x) => sum + x, 0) / Math.max(1, counted), gradientNorm }
  }
  return { run, free: () => freeWorkspace(model, workspace) }
}

/** Takes in the figures of a finished step; adds a line of metrics when one is due. */
function record(
  { config, steps, tokensPerStep }: Training,
  state: TrainingState,
  figures: StepFigures,
  task: ProgressTask,
): void {
  const step = ++state.recorded
  if (!Number.isFinite(figures.loss) || !Number.isFinite(figures.gradientNorm)) throw diverged(step, figures)
  const { sums } = state
  sums.loss += figures.loss
  sums.gradientNorm += figures.gradientNorm
  sums.steps++
  const every = Math.max(1, Math.floor(steps / METRICS_LINES))
  const learningRate = learningRateAt(step, { ...config, totalSteps: steps })
  if (step % every === 0 || step === steps) {
    const [meanLoss, gradientNorm] = [sums.loss / sums.steps, sums.gradientNorm / sums.steps]
    state.metrics.push({ step, tokens: step * tokensPerStep, loss: meanLoss, gradientNorm, learningRate })
    state.sums = { loss: 0, gradientNorm: 0, steps: 0 }
  }
  task.update(step * tokensPerStep, { loss: figures.loss.toFixed(3), lr: learningRate.toExponential(1) })
}

function diverged(step: number, figures: StepFigures): MonosemError {
  const got = `loss ${figures.loss} and gradient norm ${figures.gradientNorm}`
  return new MonosemError('diverged', `model/train: expected finite numbers, got ${got} at step ${step}`, {
    hint: 'train into a new directory with a lower --learning-rate or a longer --warmup-steps',
  })
}
