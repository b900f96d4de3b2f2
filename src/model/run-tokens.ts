import { MonosemError } from '../errors/monosem-error.js'
import type { Tensor } from '../kernels/kernels.js'
import type { NdArray } from '../kernels/nd-array.js'
import { throwIfInterrupted } from '../progress/progress.js'
import { chainHooks, type HooksOption, hooksOf } from './hook-layers.js'
import { batchRows, type TokenBatch, type TokenInput, tokenBatch } from './token-batch.js'
import {
  type AsyncHook,
  BEFORE_LOGITS,
  createWorkspace,
  forwardAsync,
  freeWorkspace,
  lastHook,
  type Transformer,
  unembed,
  type Workspace,
} from './transformer.js'

/** Logits in the kernels' memory at once: 64 MiB. */
const mostLogits = 1 << 24

/** What a forward pass is to give back. Where nothing is asked for, it is the logits. */
export interface RunOptions {
  /** hook points whose activations are wanted, e.g. 'blocks.0.hook_resid_post': as hooks left them */
  read?: readonly string[]
  /**
   * by hook point; called in forward order with the activation [N, width], a tensor of `model.kernels` with N = B*T rows. A hook changes it
   * in place, returns another of its shape, or returns nothing; it may be async
   */
  hooks?: HooksOption
  /** next-token logits of every position. Default: only where neither `read`, `loss` nor `stopAfter` is given */
  logits?: boolean
  /** next-token cross-entropy. Default false */
  loss?: boolean
  /** ends the pass after this hook point. Default: the last of `read`, where neither logits nor loss are wanted */
  stopAfter?: string
  /** stops with `interrupted` */
  signal?: AbortSignal
}

/**
 * What a forward pass gave back, in JavaScript's own memory: nothing has to be freed. B sequences, T positions, V vocabulary. Reading what was
 * not asked for throws `config`.
 */
export interface RunResult {
  /** by hook point that was asked for: [B, T, width], attention patterns [B, H, T, T] */
  activations: Record<string, NdArray>
  /** [B, T, V] */
  readonly logits: NdArray
  /** mean of `tokenLosses`, nats; NaN for sequences of one token */
  readonly loss: number
  /** [B, T - 1] next-token cross-entropy in nats */
  readonly tokenLosses: NdArray
}

/**
 * Runs a model on token ids, as far as what is asked for needs.
 * @throws MonosemError shape (ids that the model cannot read, a hook's tensor of another size), config (unknown hook point, or one that
 * `stopAfter` leaves out), interrupted; what a hook throws
 */
export async function runTokens(
  model: Transformer,
  input: TokenInput,
  options: RunOptions = {},
  base: readonly HooksOption[] = [],
): Promise<RunResult> {
  const { read = [], loss = false, signal } = options
  const batch = tokenBatch(model.config, input)
  const logits = options.logits ?? !(loss || read.length > 0 || options.stopAfter !== undefined)
  const stopAfter = stopOf(model, options, logits || loss)
  const hooks = passHooks(batch, [...base, options.hooks])
  return runPass(model, batch, { hooks, stopAfter, read, signal }, async (workspace) => {
    const activations = await readActivations(model, workspace, read)
    const predicted = logits || loss ? await predict(model, workspace, batch, { logits, loss, signal }) : {}
    return createResult(activations, predicted)
  })
}

export interface PassOptions {
  /** where it ends */
  stopAfter: string
  /** hook points whose activations are read from the workspace; that of `stopAfter` can be too */
  read: readonly string[]
  hooks?: Record<string, AsyncHook>
  signal?: AbortSignal
}

/** A forward pass over a batch, and what is made of its workspace before that is freed. */
export async function runPass<R>(
  model: Transformer,
  batch: TokenBatch,
  { stopAfter, read, hooks, signal }: PassOptions,
  use: (workspace: Workspace) => Promise<R>,
): Promise<R> {
  throwIfInterrupted(signal)
  const keep = [...read, stopAfter]
  const workspace = createWorkspace(model, batch.sequences, batch.length, { keep })
  try {
    await forwardAsync(model, workspace, batch, { hooks, stopAfter })
    return await use(workspace)
  } finally {
    freeWorkspace(model, workspace)
  }
}

/** The hooks of one pass over a batch, from several layers of them. */
export function passHooks(
  batch: TokenBatch,
  layers: readonly (HooksOption | undefined)[],
): Record<string, AsyncHook> {
  const rows = batchRows(batch)
  return chainHooks(layers.map((layer) => hooksOf(layer, rows)))
}

/** Where a pass ends. @throws MonosemError config (unknown hook point, or one after the end) */
export function stopOf(
  { config }: Transformer,
  { read = [], stopAfter }: Pick<RunOptions, 'read' | 'stopAfter'>,
  predicts: boolean,
): string {
  const last = read.length > 0 ? lastHook(config, read) : undefined
  if (stopAfter === undefined) return predicts ? BEFORE_LOGITS : (last ?? BEFORE_LOGITS)
  if (predicts || lastHook(config, [stopAfter, last ?? stopAfter]) !== stopAfter)
    throw new MonosemError(
      'config',
      `stopAfter: a pass that ends at ${stopAfter} does not reach ${predicts ? 'the logits' : last}`,
      { hint: 'leave stopAfter out: a pass ends after the last thing that is wanted' },
    )
  return stopAfter
}

/** Copies activations out of a workspace, [B, T, width] each; patterns [B, H, T, T]. */
export async function readActivations(
  { kernels }: Transformer,
  { activations, batch, contextLength }: Workspace,
  names: readonly string[],
): Promise<Record<string, NdArray>> {
  const read = async (name: string): Promise<[string, NdArray]> => {
    const { shape } = activations[name]
    const data = await kernels.readF32(activations[name])
    return [name, { shape: shape.length === 2 ? [batch, contextLength, shape[1]] : [...shape], data }]
  }
  return Object.fromEntries(await Promise.all(names.map(read)))
}

/** Logits and losses of some rows of a pass. */
export interface PredictedRows {
  /** the first of them */
  first: number
  /** [n, V]; empty where not wanted */
  logits: Float32Array
  /** [n] nats, 0 where there is no next token; empty where not wanted */
  losses: Float32Array
}

/**
 * Logits and losses from the last hook point's activations, some rows at a time: no more than `mostLogits` are in memory at once.
 */
export async function* predictRows(
  model: Transformer,
  workspace: Workspace,
  batch: TokenBatch,
  wanted: { logits: boolean; loss: boolean; signal?: AbortSignal },
): AsyncGenerator<PredictedRows, void, void> {
  const { kernels, config } = model
  const N = batch.sequences * batch.length
  const count = Math.min(N, Math.max(1, Math.floor(mostLogits / config.vocabularySize)))
  const room = kernels.zeros([count, config.vocabularySize])
  try {
    for (let first = 0; first < N; first += count) {
      throwIfInterrupted(wanted.signal)
      const n = Math.min(count, N - first)
      const some = kernels.rows(room, 0, n)
      unembed(model, some, kernels.rows(workspace.activations[BEFORE_LOGITS], first, n))
      const targets = batch.targets.subarray(first, first + n)
      const losses = wanted.loss ? await rowLosses(model, some, targets) : new Float32Array(0)
      const logits = wanted.logits ? await kernels.readF32(some) : new Float32Array(0)
      yield { first, logits, losses }
    }
  } finally {
    kernels.free(room)
  }
}

interface Predicted {
  logits?: NdArray
  tokenLosses?: NdArray
}

async function predict(
  model: Transformer,
  workspace: Workspace,
  batch: TokenBatch,
  wanted: { logits: boolean; loss: boolean; signal?: AbortSignal },
): Promise<Predicted> {
  const [B, T, V] = [batch.sequences, batch.length, model.config.vocabularySize]
  const logits = new Float32Array(wanted.logits ? B * T * V : 0)
  const losses = new Float32Array(wanted.loss ? B * T : 0)
  for await (const rows of predictRows(model, workspace, batch, wanted)) {
    logits.set(rows.logits, rows.first * V)
    losses.set(rows.losses, rows.first)
  }
  const counted = losses.filter((_, n) => (n + 1) % T !== 0)
  return {
    ...(wanted.logits && { logits: { shape: [B, T, V], data: logits } }),
    ...(wanted.loss && { tokenLosses: { shape: [B, T - 1], data: counted } }),
  }
}

/** [n] nats */
async function rowLosses(
  { kernels }: Transformer,
  logits: Tensor,
  targets: Int32Array,
): Promise<Float32Array> {
  const [wanted, losses] = [kernels.tensor(targets, [targets.length]), kernels.zeros([targets.length])]
  kernels.crossEntropyForward(losses, logits, wanted)
  const values = await kernels.readF32(losses)
  for (const tensor of [wanted, losses]) kernels.free(tensor)
  return values
}

function createResult(activations: Record<string, NdArray>, { logits, tokenLosses }: Predicted): RunResult {
  const given = <T>(value: T | undefined, option: string): T => {
    if (value !== undefined) return value
    throw new MonosemError('config', `the pass was not asked for ${option}`, {
      hint: `pass { ${option}: true }`,
    })
  }
  return {
    activations,
    get logits() {
      return given(logits, 'logits')
    },
    get tokenLosses() {
      return given(tokenLosses, 'loss')
    },
    get loss() {
      const { data } = this.tokenLosses
      return data.reduce((sum, nats) => sum + nats, 0) / data.length
    },
  }
}
