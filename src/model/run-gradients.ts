import { MonosemError } from '../errors/monosem-error.js'
import type { NdArray } from '../kernels/nd-array.js'
import type { HooksOption } from './hook-layers.js'
import { hookPlace } from './hook-points.js'
import { type Metric, metricGradient, metricValue } from './logit-metric.js'
import { passHooks, readActivations } from './run-tokens.js'
import { type TokenBatch, type TokenInput, tokenBatch } from './token-batch.js'
import {
  backwardFromLogits,
  createWorkspace,
  forwardAsync,
  freeWorkspace,
  loss,
  type Transformer,
  type Workspace,
} from './transformer.js'

/** A number made from the logits of one position of each sequence. */
export interface LogitTarget extends Omit<Metric, 'against'> {
  /** the other token of a difference */
  against?: number
  /** position whose next token it is about; default: the last */
  position?: number
}

/**
 * Any function of the logits [B, T, V]: its value, and its derivative with respect to each logit, [B*T*V]. The logits are a copy and may be
 * overwritten by the derivative.
 */
export type LogitFunction = (logits: NdArray) => { value: number; gradient: Float32Array }

export interface GradientOptions {
  /** hook points at which gradients are wanted */
  read: readonly string[]
  /**
   * what is differentiated: the mean next-token loss (default), a metric of one position's logits (summed over the sequences, which do not
   * touch each other), or any function of the logits
   */
  of?: 'loss' | LogitTarget | LogitFunction
  /** as of a forward pass. Where a hook changed an activation, the gradient is the one at the changed value, and passes on unchanged */
  hooks?: HooksOption
}

/** In JavaScript's own memory: nothing has to be freed. */
export interface GradientResult {
  /** of what is differentiated */
  value: number
  /** d value / d activation by hook point that was asked for: [B, T, width], attention patterns [B, H, T, T] */
  gradients: Record<string, NdArray>
  /** the activations at the same hook points */
  activations: Record<string, NdArray>
}

/**
 * Runs a model forward and a function of its logits backward.
 * @throws MonosemError shape, config (as `runTokens`; a target that the model does not have; a derivative of another size)
 */
export async function runGradients(
  model: Transformer,
  input: TokenInput,
  { read, of = 'loss', hooks }: GradientOptions,
  base: readonly HooksOption[] = [],
): Promise<GradientResult> {
  for (const name of read) hookPlace(model.config, name)
  const batch = tokenBatch(model.config, input)
  // The gradient of an attention pattern is formed only where the pattern has a hook.
  const patterns = read.filter((name) => name.endsWith('hook_pattern')).map((name) => [name, () => {}])
  const layers = [Object.fromEntries(patterns), ...base, hooks]
  const workspace = createWorkspace(model, batch.sequences, batch.length)
  try {
    await forwardAsync(model, workspace, batch, { hooks: passHooks(batch, layers) })
    const value = await writeLogitGradient(model, workspace, batch, of)
    backwardFromLogits(model, workspace, null)
    const gradients = { ...workspace, activations: workspace.gradients }
    return {
      value,
      gradients: await readActivations(model, gradients, read),
      activations: await readActivations(model, workspace, read),
    }
  } finally {
    freeWorkspace(model, workspace)
  }
}

/** Overwrites the workspace's logits by the derivative of `of`; its value. */
async function writeLogitGradient(
  model: Transformer,
  workspace: Workspace,
  batch: TokenBatch,
  of: NonNullable<GradientOptions['of']>,
): Promise<number> {
  const { kernels, config } = model
  if (of === 'loss') {
    const counted = batch.targets.filter((target) => target >= 0).length
    if (counted === 0)
      throw new MonosemError('shape', 'gradients: a sequence of one token has no next-token loss')
    const losses = await kernels.readF32(loss(model, workspace))
    kernels.crossEntropyBackward(workspace.logits, workspace.logits, workspace.targets, 1 / counted)
    return losses.reduce((sum, nats) => sum + nats, 0) / counted
  }
  const shape = [batch.sequences, batch.length, config.vocabularySize]
  const logits = { shape, data: await kernels.readF32(workspace.logits) }
  const { value, gradient } = typeof of === 'function' ? of(logits) : targetGradient(of, logits)
  if (gradient.length !== logits.data.length)
    throw new MonosemError('shape', `gradients: expected [${shape}] derivatives, got ${gradient.length}`)
  kernels.write(workspace.logits, gradient)
  return value
}

function targetGradient(
  { position, against, ...rest }: LogitTarget,
  { shape, data }: NdArray,
): ReturnType<LogitFunction> {
  const [B, T, V] = shape
  const at = position ?? T - 1
  const metric = { ...rest, against: against ?? null }
  const within = (value: number | undefined, end: number): boolean =>
    value === undefined || (Number.isInteger(value) && value >= 0 && value < end)
  if (!within(at, T) || !within(metric.target, V) || !within(against, V))
    throw new MonosemError(
      'config',
      `gradients: expected a position below ${T} and tokens below ${V}, got position ${at}, target ${metric.target}, against ${against}`,
    )
  const gradient = new Float32Array(data.length)
  let value = 0
  for (let b = 0; b < B; b++) {
    const start = (b * T + at) * V
    const logits = data.subarray(start, start + V)
    value += metricValue(metric, logits)
    gradient.set(metricGradient(metric, logits), start)
  }
  return { value, gradient }
}
