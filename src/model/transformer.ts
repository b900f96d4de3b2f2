/**
 * A decoder-only transformer, the whole of it, for all families: what `transformer-config.ts` says decides.
 *
 *   x = W_E[token] (+ W_pos[position])
 *   for each layer:  x = x + Attention(Norm(x));  x = x + MLP(Norm(x))      or, in parallel,  x = x + Attention(Norm(x)) + MLP(Norm(x))
 *   logits = Norm(x) W_U
 *
 * Shapes: B sequences, T positions, N = B*T tokens, D = dModel, M = dMlp, V vocabulary, H query heads, G heads of keys and values, W head width.
 * Names of parameters and of hook points are TransformerLens's (https://github.com/TransformerLensOrg/TransformerLens); matrices are
 * [inputs, outputs] with the heads side by side, and head activations are [N, H*W] instead of [B, T, H, W].
 *
 * `layers.ts` holds the layers and their gradients, `parameters.ts` what they compute with, `workspace.ts` where activations are, and
 * `hook-points.ts` their names.
 */
import type { WindowBatch } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import { mixValues } from './attention-pattern.js'
import { createGradients } from './gradients.js'
import { type AsyncHook, BEFORE_LOGITS, type Hook, hookPlace, hooksToStartAt } from './hook-points.js'
import {
  type Activation,
  type Attention,
  activate,
  attend,
  attentionOptions,
  carry,
  gate,
  linear,
  lookUp,
  norm,
  type Pass,
  rotate,
  type Steps,
  sum,
  unembedLayer,
} from './layers.js'
import type { Transformer } from './parameters.js'
import { keeps, type Workspace } from './workspace.js'

export {
  type AsyncHook,
  attentionFollows,
  BEFORE_LOGITS,
  type Hook,
  hookNames,
  hooksToStartAt,
  hookWidth,
  lastHook,
} from './hook-points.js'
export { type Attention, attentionOptions, unembed } from './layers.js'
export {
  createTransformer,
  fillInitial,
  freeTransformer,
  type ParameterSpec,
  parameterCount,
  parameterSpecs,
  type Transformer,
  withContext,
  zerosLikeParameters,
} from './parameters.js'
export { type TransformerConfig, type TransformerOptions, transformerConfig } from './transformer-config.js'
export {
  createWorkspace,
  freeWorkspace,
  hookBuffer,
  normRstd,
  type Workspace,
  type WorkspaceOptions,
} from './workspace.js'

// ---- the model ----

function* transformer(pass: Pass): Steps<void> {
  let resid = yield* embedding(pass)
  for (let layer = 0; layer < pass.model.config.layers; layer++) {
    if (layer > 0) resid = yield* carry(pass, `blocks.${layer}.hook_resid_pre`, resid)
    resid = yield* block(pass, layer, resid)
  }
  const normalized = yield* norm(pass, BEFORE_LOGITS, resid, 'ln_final')
  unembedLayer(pass, normalized)
}

/** resid_pre of the first block [N, D] */
function* embedding(pass: Pass): Steps {
  const { config } = pass.model
  const { tokens, positions } = pass.workspace
  const embed = yield* lookUp(pass, 'hook_embed', 'embed.W_E', tokens, config.embeddingScale)
  if (!config.learnedPositions) return yield* carry(pass, 'blocks.0.hook_resid_pre', embed)
  const position = yield* lookUp(pass, 'hook_pos_embed', 'pos_embed.W_pos', positions)
  return yield* sum(pass, 'blocks.0.hook_resid_pre', embed, position)
}

/** resid_pre [N, D] -> resid_post [N, D] */
function* block(pass: Pass, layer: number, residPre: Activation): Steps {
  const name = `blocks.${layer}`
  const attnOut = yield* attentionLayer(pass, layer, residPre)
  if (pass.model.config.parallelResidual) {
    const mlpOut = yield* mlpLayer(pass, name, residPre)
    return yield* sum(pass, `${name}.hook_resid_post`, residPre, attnOut, mlpOut)
  }
  const residMid = yield* sum(pass, `${name}.hook_resid_mid`, residPre, attnOut)
  const mlpOut = yield* mlpLayer(pass, name, residMid)
  return yield* sum(pass, `${name}.hook_resid_post`, residMid, mlpOut)
}

/** W_O z, z = softmax(scale q k^T) v by head; what it adds to the residual stream [N, D] */
function* attentionLayer(pass: Pass, layer: number, resid: Activation): Steps {
  const { config } = pass.model
  const name = `blocks.${layer}`
  const attn = `${name}.attn`
  const x = yield* norm(pass, `${name}.ln1.hook_normalized`, resid, `${name}.ln1`)
  let q = yield* linear(pass, `${attn}.hook_q`, x, attn, 'Q')
  let k = yield* linear(pass, `${attn}.hook_k`, x, attn, 'K')
  const v = yield* linear(pass, `${attn}.hook_v`, x, attn, 'V')
  if (config.queryKeyNorms) {
    q = yield* norm(pass, `${attn}.q_norm.hook_normalized`, q, `${attn}.q_norm`, 'rms')
    k = yield* norm(pass, `${attn}.k_norm.hook_normalized`, k, `${attn}.k_norm`, 'rms')
  }
  if (config.rotary) {
    q = yield* rotate(pass, `${attn}.hook_rot_q`, q, config.heads)
    k = yield* rotate(pass, `${attn}.hook_rot_k`, k, config.keyValueHeads)
  }
  const z = yield* attend(pass, layer, q, k, v)
  if (!config.postNorms) return yield* linear(pass, `${name}.hook_attn_out`, z, attn, 'O')
  const out = yield* linear(pass, `${attn}.hook_out`, z, attn, 'O')
  return yield* norm(pass, `${name}.hook_attn_out`, out, `${name}.ln1_post`)
}

/** W_out neurons, neurons = act(x W_in), or act(x W_gate) * (x W_in) [N, M]; what it adds to the residual stream [N, D] */
function* mlpLayer(pass: Pass, name: string, resid: Activation): Steps {
  const { config } = pass.model
  const mlp = `${name}.mlp`
  const x = yield* norm(pass, `${name}.ln2.hook_normalized`, resid, `${name}.ln2`)
  const pre = yield* linear(pass, `${mlp}.hook_pre`, x, mlp, config.gatedMlp ? 'gate' : 'in')
  let neurons: Activation
  if (config.gatedMlp) {
    const up = yield* linear(pass, `${mlp}.hook_pre_linear`, x, mlp, 'in')
    neurons = yield* gate(pass, `${mlp}.hook_post`, pre, up)
  } else neurons = yield* activate(pass, `${mlp}.hook_post`, pre)
  if (!config.postNorms) return yield* linear(pass, `${name}.hook_mlp_out`, neurons, mlp, 'out')
  const out = yield* linear(pass, `${mlp}.hook_out`, neurons, mlp, 'out')
  return yield* norm(pass, `${name}.hook_mlp_out`, out, `${name}.ln2_post`)
}

// ---- forward ----

export interface ForwardOptions<H extends AsyncHook = Hook> {
  /** by hook point; none by default */
  hooks?: Record<string, H>
  /** ends the pass right after this hook point (its hook included); what comes later is not computed, and the logits keep their content */
  stopAfter?: string
  /**
   * begins the pass at this hook point: nothing before it is computed and no hook before it called. The activations of `hooksToStartAt` must
   * be in the workspace's `hookBuffer`s and be kept. There is no backward pass after it.
   */
  startAt?: string
}

/**
 * Enqueues a forward pass over a batch of B*T tokens; activations are then in `workspace.activations` and,
 * unless it was stopped early, logits [N, V] in `workspace.logits`.
 * @throws MonosemError config (unknown hook point), shape (batch or a hook's tensor of another size, token
 * outside the vocabulary)
 */
export function forward(
  model: Transformer,
  workspace: Workspace,
  batch: WindowBatch,
  options: ForwardOptions = {},
): void {
  writeBatch(model, workspace, batch)
  runForward(model, workspace, windowAttention(model, workspace), options)
}

/** `forward` with hooks that may wait. Resolves when everything is enqueued. @throws MonosemError as `forward`; what a hook throws */
export async function forwardAsync(
  model: Transformer,
  workspace: Workspace,
  batch: WindowBatch,
  options: ForwardOptions<AsyncHook> = {},
): Promise<void> {
  writeBatch(model, workspace, batch)
  await runForwardAsync(model, workspace, windowAttention(model, workspace), options)
}

/** Every window attends to itself. */
function windowAttention({ config }: Transformer, workspace: Workspace): (kernels: Kernels) => Attention {
  const { batch, contextLength: t, starts } = workspace
  return (kernels) => ({
    patternShape: [batch, config.heads, t, t],
    attend: (layer, z, pattern, q, k, v) =>
      kernels.attentionForward(z, pattern, q, k, v, starts, t, attentionOptions(config, layer)),
    mix: (layer, z, pattern, v) => mixValues(kernels, z, pattern, v, attentionOptions(config, layer)),
  })
}

/**
 * Enqueues a forward pass over the tokens that are in the workspace already.
 * @throws MonosemError config (unknown hook point), shape (a hook's tensor of another size)
 */
export function runForward(
  model: Transformer,
  workspace: Workspace,
  attention: (kernels: Kernels) => Attention,
  options: ForwardOptions,
): void {
  const steps = hookedSteps(model, workspace, attention, options)
  for (let step = steps.next(); !step.done; ) {
    const { hook, activation, name } = step.value
    step = steps.next(hook(activation, name))
  }
}

/** `runForward` with hooks that may wait. */
export async function runForwardAsync(
  model: Transformer,
  workspace: Workspace,
  attention: (kernels: Kernels) => Attention,
  options: ForwardOptions<AsyncHook>,
): Promise<void> {
  const steps = hookedSteps(model, workspace, attention, options)
  for (let step = steps.next(); !step.done; ) {
    const { hook, activation, name } = step.value
    step = steps.next(await hook(activation, name))
  }
}

/** A forward pass that hands out every hook with what to call it with, and goes on with what the hook gave back. */
function* hookedSteps<H>(
  model: Transformer,
  workspace: Workspace,
  attention: (kernels: Kernels) => Attention,
  { hooks = {}, stopAfter, startAt }: Omit<ForwardOptions, 'hooks'> & { hooks?: Record<string, H> },
  // biome-ignore lint/suspicious/noConfusingVoidType: as of `Hook`
): Generator<{ hook: H; activation: Tensor; name: string }, void, Tensor | void> {
  for (const name of Object.keys(hooks)) hookPlace(model.config, name)
  if (stopAfter !== undefined) hookPlace(model.config, stopAfter)
  if (startAt !== undefined) requireStart(model, workspace, startAt, Object.keys(hooks))
  let started = startAt === undefined
  workspace.state = 'stopped'
  workspace.tape = []
  workspace.activations = {}
  const kernels = started ? model.kernels : heldBack(model.kernels, () => started)
  const pass = { model: { ...model, kernels }, workspace, attention: attention(kernels), hooks, stopAfter }
  const steps = transformer(pass)
  let step = steps.next()
  while (!step.done) {
    const { name, tensor } = step.value
    started ||= name === startAt
    const hook = started ? hooks[name] : undefined
    const activation = (hook && (yield { hook, activation: tensor, name })) || tensor
    requireSameShape(name, activation, tensor)
    if (keeps(workspace, name)) workspace.activations[name] = activation
    if (name === stopAfter) return
    step = steps.next({ name, tensor: activation })
  }
  if (startAt === undefined) workspace.state = 'logits'
}

function requireStart(
  { config }: Transformer,
  workspace: Workspace,
  startAt: string,
  hooks: readonly string[],
): void {
  const fail = (message: string): never => {
    throw new MonosemError('config', `model/forward: a pass that starts at ${startAt} ${message}`)
  }
  const lost = hooksToStartAt(config, startAt).find((name) => !keeps(workspace, name))
  if (lost !== undefined) fail(`needs a workspace that keeps ${lost}`)
  const early = hooks.find((name) => hookPlace(config, name) < hookPlace(config, startAt))
  if (early !== undefined) fail(`does not reach ${early}`)
}

const memoryOperations = new Set<string | symbol>(['zeros', 'tensor', 'rows', 'reshape', 'free'])

/** The same kernels, on which nothing is computed before `started()`. */
function heldBack(kernels: Kernels, started: () => boolean): Kernels {
  return new Proxy(kernels, {
    get: (target, name) => {
      const operation = Reflect.get(target, name)
      if (typeof operation !== 'function') return operation
      return started() || memoryOperations.has(name) ? operation.bind(target) : () => {}
    },
  })
}

function writeBatch(model: Transformer, workspace: Workspace, batch: WindowBatch): void {
  const N = workspace.batch * workspace.contextLength
  for (const key of ['tokens', 'targets', 'starts'] as const)
    if (batch[key].length !== N)
      throw new MonosemError('shape', `model/forward: expected ${key} [${N}], got [${batch[key].length}]`)
  const V = model.config.vocabularySize
  for (let n = 0; n < N; n++)
    if (!(batch.tokens[n] >= 0 && batch.tokens[n] < V && batch.targets[n] < V))
      throw new MonosemError(
        'shape',
        `model/forward: expected token ids below ${V}, got ${Math.max(batch.tokens[n], batch.targets[n])}`,
        { hint: 'is this the corpus that the model was trained on?' },
      )
  model.kernels.write(workspace.tokens, batch.tokens)
  model.kernels.write(workspace.targets, batch.targets)
  model.kernels.write(workspace.starts, batch.starts)
}

function requireSameShape(name: string, got: Tensor, expected: Tensor): void {
  if (got.dtype === expected.dtype && String(got.shape) === String(expected.shape)) return
  const text = ({ dtype, shape }: Tensor) => `${dtype} [${shape.join(', ')}]`
  const message = `model/forward: expected the hook at ${name} to return ${text(expected)}, got ${text(got)}`
  throw new MonosemError('shape', message)
}

/**
 * Enqueues the cross-entropy of each token: losses [N] in nats, 0 where the target is -1.
 * @throws MonosemError config (the last forward pass was stopped, or its logits are gone)
 */
export function loss(model: Transformer, workspace: Workspace): Tensor {
  requireLogits(workspace)
  model.kernels.crossEntropyForward(workspace.losses, workspace.logits, workspace.targets)
  return workspace.losses
}

function requireLogits(workspace: Workspace): void {
  if (workspace.state !== 'logits')
    throw new MonosemError('config', 'model/transformer: expected logits from a complete forward pass', {
      hint: 'call forward without stopAfter first; backward overwrites the logits',
    })
}

// ---- backward ----

/**
 * Enqueues the gradients of `scale` * sum of the token losses: added to `parameterGradients` (by parameter
 * name; null skips them), and written to `workspace.gradients` for every hook point. Logits are overwritten
 * by their gradient.
 *
 * Where a hook changed an activation, the gradient there is the one with respect to the changed value, and it
 * passes on to what comes before as if the hook had added a constant. The gradient at `attn.hook_pattern`
 * exists only where the forward pass had a hook on that point: the attention kernel does not form it
 * otherwise.
 * @param scale 1 / number of counted targets gives the gradient of the mean loss
 * @throws MonosemError config (the last forward pass was stopped, its logits are gone, or the workspace does not keep everything)
 */
export function backward(
  model: Transformer,
  workspace: Workspace,
  parameterGradients: Record<string, Tensor> | null,
  scale: number,
): void {
  requireLogits(workspace)
  const { logits, targets } = workspace
  model.kernels.crossEntropyBackward(logits, logits, targets, scale)
  backwardFromLogits(model, workspace, parameterGradients)
}

/**
 * `backward` of any function of the logits: the caller has overwritten `workspace.logits` by its gradient with respect to
 * them.
 * @throws MonosemError config as `backward`
 */
export function backwardFromLogits(
  { kernels }: Transformer,
  workspace: Workspace,
  parameterGradients: Record<string, Tensor> | null,
): void {
  requireLogits(workspace)
  if (workspace.keep !== 'all')
    throw new MonosemError('config', 'model/transformer: expected a workspace that keeps all activations', {
      hint: 'a backward pass reads them: leave out `keep`',
    })
  workspace.state = 'gradients'
  const { tape, gradients: found, room } = workspace
  const gradients = createGradients(kernels, parameterGradients ?? {}, found, room)
  for (const step of tape.reverse()) step(gradients)
  workspace.tape = []
}
