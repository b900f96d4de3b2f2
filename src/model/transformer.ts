/**
 * A pre-norm decoder-only transformer, the whole of it: parameters, workspace, forward, backward.
 *
 *   x = W_E[token] + W_pos[position]
 *   for each layer:  x = x + Attention(LayerNorm(x));  x = x + MLP(LayerNorm(x))
 *   logits = LayerNorm(x) W_U
 *
 * Shapes: B sequences, T positions, N = B*T tokens, D = dModel, M = dMlp, V vocabulary, H heads. Names of
 * parameters and of hook points are TransformerLens's
 * (https://github.com/TransformerLensOrg/TransformerLens); the attention matrices are [D, D] with the heads
 * side by side, and head activations are [N, D] instead of [B, T, H, D/H].
 */
import type { WindowBatch } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { AttentionOptions, Kernels, Tensor } from '../kernels/kernels.js'
import { Random } from '../random/random.js'
import { mixValues, mixValuesBackward } from './attention-pattern.js'

// ---- configuration and parameters ----

export interface TransformerConfig {
  layers: number
  /** D, width of the residual stream */
  dModel: number
  /** H, a divisor of dModel */
  heads: number
  /** M, neurons of each MLP */
  dMlp: number
  /** the longest sequence, in tokens */
  context: number
  /** V */
  vocabularySize: number
}

/** A model: what computes it, its sizes, and its parameters by TransformerLens name. */
export interface Transformer {
  kernels: Kernels
  config: TransformerConfig
  params: Record<string, Tensor>
}

/** Shape of a parameter and the standard deviation it starts with (0: zeros, 'ones': ones). */
export interface ParameterSpec {
  shape: number[]
  init: number | 'ones'
}

const LAYER_NORM_EPSILON = 1e-5

/**
 * Every parameter in a fixed order. Initialised as GPT-2: normal with standard deviation 0.02, what writes
 * into the residual stream scaled by 1/sqrt(2 * layers), biases zero.
 * @throws MonosemError config (a size is not a positive integer, or heads does not divide dModel)
 */
export function parameterSpecs(config: TransformerConfig): Record<string, ParameterSpec> {
  requireConfig(config)
  const { layers, dModel: D, dMlp: M, context, vocabularySize: V } = config
  const weight = 0.02
  const output = weight / Math.sqrt(2 * layers)
  const specs: Record<string, ParameterSpec> = {
    'embed.W_E': { shape: [V, D], init: weight },
    'pos_embed.W_pos': { shape: [context, D], init: weight },
  }
  const layerNorm = (name: string) => {
    specs[`${name}.w`] = { shape: [D], init: 'ones' }
    specs[`${name}.b`] = { shape: [D], init: 0 }
  }
  for (let layer = 0; layer < layers; layer++) {
    const block = `blocks.${layer}`
    layerNorm(`${block}.ln1`)
    for (const head of ['Q', 'K', 'V', 'O']) {
      specs[`${block}.attn.W_${head}`] = { shape: [D, D], init: head === 'O' ? output : weight }
      specs[`${block}.attn.b_${head}`] = { shape: [D], init: 0 }
    }
    layerNorm(`${block}.ln2`)
    specs[`${block}.mlp.W_in`] = { shape: [D, M], init: weight }
    specs[`${block}.mlp.b_in`] = { shape: [M], init: 0 }
    specs[`${block}.mlp.W_out`] = { shape: [M, D], init: output }
    specs[`${block}.mlp.b_out`] = { shape: [D], init: 0 }
  }
  layerNorm('ln_final')
  specs['unembed.W_U'] = { shape: [D, V], init: weight }
  return specs
}

function requireConfig(config: TransformerConfig): void {
  for (const key of ['layers', 'dModel', 'heads', 'dMlp', 'context', 'vocabularySize'] as const)
    if (!Number.isInteger(config[key]) || config[key] < 1)
      throw new MonosemError(
        'config',
        `model/transformer: expected ${key} to be a positive integer, got ${config[key]}`,
      )
  if (config.dModel % config.heads !== 0)
    throw new MonosemError(
      'config',
      `model/transformer: expected heads to divide dModel ${config.dModel}, got ${config.heads}`,
      { hint: 'choose dModel as a multiple of heads' },
    )
}

/** Number of trainable numbers. */
export function parameterCount(config: TransformerConfig): number {
  return Object.values(parameterSpecs(config)).reduce((sum, { shape }) => sum + elements(shape), 0)
}

/**
 * A freshly initialised model. Each parameter has its own random stream, so the same seed gives the same
 * numbers.
 * @throws MonosemError config
 */
export function createTransformer(kernels: Kernels, config: TransformerConfig, seed: number): Transformer {
  const params: Record<string, Tensor> = {}
  for (const [name, { shape, init }] of Object.entries(parameterSpecs(config))) {
    const data = new Float32Array(elements(shape))
    const random = Random.named(seed, `parameter ${name}`)
    if (init === 'ones') data.fill(1)
    else if (init > 0) for (let i = 0; i < data.length; i++) data[i] = init * random.normal()
    params[name] = kernels.tensor(data, shape)
  }
  return { kernels, config: { ...config }, params }
}

/** Gives the parameters' memory back; using the model later is an error. */
export function freeTransformer({ kernels, params }: Transformer): void {
  for (const p of Object.values(params)) kernels.free(p)
}

/** One zero tensor per parameter: gradients, or Adam's moments. */
export function zerosLikeParameters({ kernels, params }: Transformer): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(params).map(([name, p]) => [name, kernels.zeros(p.shape)]))
}

// ---- hook points ----

/**
 * Called with an activation during the forward pass, in forward order. It may enqueue kernel operations that
 * change the tensor in place, or return another tensor of the same shape to go on with; returning nothing
 * keeps the tensor.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks, or edits in place, returns nothing
export type Hook = (activation: Tensor, name: string) => Tensor | void

const BLOCK_HOOKS = [
  'hook_resid_pre',
  'ln1.hook_normalized',
  'attn.hook_q',
  'attn.hook_k',
  'attn.hook_v',
  'attn.hook_pattern',
  'attn.hook_z',
  'hook_attn_out',
  'hook_resid_mid',
  'ln2.hook_normalized',
  'mlp.hook_pre',
  'mlp.hook_post',
  'hook_mlp_out',
  'hook_resid_post',
]

/** Names of all hook points, in the order in which a forward pass reaches them. */
export function hookNames(config: TransformerConfig): string[] {
  const names = ['hook_embed', 'hook_pos_embed']
  for (let layer = 0; layer < config.layers; layer++)
    for (const name of BLOCK_HOOKS) names.push(`blocks.${layer}.${name}`)
  return [...names, 'ln_final.hook_normalized']
}

/**
 * Width of the activation [N, width] at a hook point.
 * @throws MonosemError config (no such hook point; or the attention pattern, which is [B, H, T, T])
 */
export function hookWidth(config: TransformerConfig, name: string): number {
  requireHook(config, name)
  if (name.endsWith('hook_pattern'))
    throw new MonosemError('config', `model/transformer: ${name} is [B, H, T, T] and has no width`, {
      hint: 'choose a hook point that holds one vector per token',
    })
  return /mlp\.hook_(pre|post)$/.test(name) ? config.dMlp : config.dModel
}

function requireHook(config: TransformerConfig, name: string): void {
  const names = hookNames(config)
  if (!names.includes(name))
    throw new MonosemError('config', `model/transformer: no hook point is called ${name}`, {
      hint: `choose one of ${names.join(', ')}`,
    })
}

/** Within a block: what else a forward pass reads that starts at a hook point. */
const READ_BESIDE: Record<string, readonly string[]> = {
  'ln1.hook_normalized': ['hook_resid_pre'],
  'attn.hook_q': ['hook_resid_pre', 'ln1.hook_normalized'],
  'attn.hook_k': ['hook_resid_pre', 'ln1.hook_normalized', 'attn.hook_q'],
  'attn.hook_v': ['hook_resid_pre', 'attn.hook_q', 'attn.hook_k'],
  'attn.hook_z': ['hook_resid_pre'],
  hook_attn_out: ['hook_resid_pre'],
  'ln2.hook_normalized': ['hook_resid_mid'],
  'mlp.hook_pre': ['hook_resid_mid'],
  'mlp.hook_post': ['hook_resid_mid'],
  hook_mlp_out: ['hook_resid_mid'],
}

/**
 * The hook points that a forward pass with `startAt` reads: that one first, then those whose activations pass it by.
 * @throws MonosemError config (no such hook point; or the attention pattern, where no pass can start)
 */
export function hooksToStartAt(config: TransformerConfig, name: string): string[] {
  hookWidth(config, name)
  if (name === 'hook_pos_embed') return [name, 'hook_embed']
  const [, block = '', point = name] = /^(blocks\.\d+\.)(.+)$/.exec(name) ?? []
  return [name, ...(READ_BESIDE[point] ?? []).map((other) => `${block}${other}`)]
}

/** Whether a change at a hook point can reach other tokens: is there attention after it? */
export function attentionFollows(config: TransformerConfig, name: string): boolean {
  requireHook(config, name)
  const names = hookNames(config)
  return names.indexOf(name) <= names.indexOf(`blocks.${config.layers - 1}.attn.hook_pattern`)
}

// ---- workspace ----

/**
 * All buffers of a forward and backward pass over B sequences of T tokens. Owned by the kernels;
 * `freeWorkspace` gives them back.
 */
export interface Workspace {
  batch: number
  contextLength: number
  /** [N] i32 each: the batch as written by `forward` */
  tokens: Tensor
  targets: Tensor
  starts: Tensor
  /** [N] i32: position of each token in its sequence */
  positions: Tensor
  /**
   * What the last forward pass computed at each hook point, after hooks: [N, width], and [B, H, T, T] for
   * patterns.
   */
  activations: Record<string, Tensor>
  /**
   * The workspace's own tensor for each hook point (an activation is another tensor only where a hook
   * returned one).
   */
  buffers: Record<string, Tensor>
  /**
   * Gradient at each hook point after `backward`. Some names share a tensor because their gradients are
   * equal.
   */
  gradients: Record<string, Tensor>
  /** [N, V], allocated at first use; `backward` overwrites them with their gradient */
  readonly logits: Tensor
  /** [N] loss of each token in nats */
  losses: Tensor
  /**
   * mean and reciprocal standard deviation [N] of each LayerNorm's input, as `<layer norm>.mean` and
   * `.rstd`
   */
  statistics: Record<string, Tensor>
  /** how far the workspace is: logits are valid after a complete forward pass, and gone after `backward` */
  state: 'empty' | 'stopped' | 'logits' | 'gradients'
  /** attention patterns that had a hook in the last forward pass; the backward pass treats them apart */
  hookedPatterns: Set<string>
  /** temporary tensors by purpose; under the name of a hooked pattern, the pattern before the hook */
  scratch: Record<string, Tensor>
  /** everything allocated, for `freeWorkspace` */
  owned: Tensor[]
}

/**
 * Allocates the buffers for `batch` sequences of `contextLength` tokens; logits and gradients follow at their
 * first use.
 * @throws MonosemError config (contextLength beyond the model's context)
 */
export function createWorkspace(model: Transformer, batch: number, contextLength: number): Workspace {
  const { kernels, config } = model
  if (!(contextLength >= 1 && contextLength <= config.context))
    throw new MonosemError(
      'config',
      `model/transformer: expected 1 to ${config.context} positions, got ${contextLength}`,
      { hint: 'the model has no position embeddings beyond its context' },
    )
  const N = batch * contextLength
  const owned: Tensor[] = []
  const own = (tensor: Tensor): Tensor => {
    owned.push(tensor)
    return tensor
  }
  const vector = (dtype: 'f32' | 'i32') => own(kernels.zeros([N], dtype))
  const buffers: Record<string, Tensor> = {}
  for (const name of hookNames(config))
    buffers[name] = own(kernels.zeros(hookShape(config, name, batch, contextLength)))
  const statistics: Record<string, Tensor> = {}
  for (const name of layerNormNames(config))
    for (const figure of ['mean', 'rstd']) statistics[`${name}.${figure}`] = vector('f32')
  let logits: Tensor | undefined
  return {
    batch,
    contextLength,
    tokens: vector('i32'),
    targets: vector('i32'),
    starts: vector('i32'),
    positions: own(
      kernels.tensor(
        Int32Array.from({ length: N }, (_, n) => n % contextLength),
        [N],
      ),
    ),
    activations: { ...buffers },
    buffers,
    gradients: {},
    get logits() {
      logits ??= own(kernels.zeros([N, config.vocabularySize]))
      return logits
    },
    losses: vector('f32'),
    statistics,
    state: 'empty',
    hookedPatterns: new Set(),
    scratch: {},
    owned,
  }
}

/** Gives the workspace's memory back; using it later is an error. */
export function freeWorkspace(model: Transformer, workspace: Workspace): void {
  for (const tensor of workspace.owned.splice(0)) model.kernels.free(tensor)
}

function hookShape(config: TransformerConfig, name: string, batch: number, t: number): number[] {
  return name.endsWith('hook_pattern') ? [batch, config.heads, t, t] : [batch * t, hookWidth(config, name)]
}

function layerNormNames(config: TransformerConfig): string[] {
  const layers = Array.from({ length: config.layers }, (_, layer) => [
    `blocks.${layer}.ln1`,
    `blocks.${layer}.ln2`,
  ])
  return [...layers.flat(), 'ln_final']
}

/** A tensor of the workspace that is made when it is first needed. */
function scratch(model: Transformer, workspace: Workspace, name: string, shape: readonly number[]): Tensor {
  if (!workspace.scratch[name]) {
    workspace.scratch[name] = model.kernels.zeros(shape)
    workspace.owned.push(workspace.scratch[name])
  }
  return workspace.scratch[name]
}

// ---- forward ----

export interface ForwardOptions {
  /** by hook point; none by default */
  hooks?: Record<string, Hook>
  /** ends the pass right after this hook point (its hook included); what comes later keeps its content */
  stopAfter?: string
  /**
   * begins the pass at this hook point: nothing before it is computed and no hook before it called. The workspace's `buffers` must
   * hold the activations of `hooksToStartAt`. There is no backward pass after it.
   */
  startAt?: string
}

/**
 * A forward pass stops at every hook point, hands out the name and the tensor, and goes on with the tensor
 * it is given.
 */
type Steps<Result> = Generator<[name: string, tensor: Tensor], Result, Tensor>

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
  runForward(model, workspace, (kernels) => windowAttention(kernels, model.config, workspace), options)
}

/** How a forward pass lets positions look at one another. */
export interface Attention {
  /** z = pattern applied to the values, pattern = softmax(q k^T / sqrt(head width)). z, q, k, v [N, D] of the rows of the pass */
  attend(block: string, z: Tensor, pattern: Tensor, q: Tensor, k: Tensor, v: Tensor): void
  /** z = pattern applied to the values once more, after a hook may have changed the pattern */
  mix(block: string, z: Tensor, pattern: Tensor, v: Tensor): void
}

/** What the attention kernels are told about a model's heads. */
export const attentionOptions = ({ heads, dModel }: TransformerConfig): AttentionOptions => ({
  heads,
  keyValueHeads: heads,
  scale: 1 / Math.sqrt(dModel / heads),
  softCap: null,
  window: null,
})

/** Every window attends to itself. */
const windowAttention = (
  kernels: Kernels,
  config: TransformerConfig,
  { starts, contextLength }: Workspace,
): Attention => ({
  attend: (_block, z, pattern, q, k, v) =>
    kernels.attentionForward(z, pattern, q, k, v, starts, contextLength, attentionOptions(config)),
  mix: (_block, z, pattern, v) => mixValues(kernels, z, pattern, v),
})

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
  const hooks = options.hooks ?? {}
  for (const name of Object.keys(hooks)) requireHook(model.config, name)
  if (options.stopAfter !== undefined) requireHook(model.config, options.stopAfter)
  if (options.startAt !== undefined) requireStart(model.config, options.startAt, Object.keys(hooks))
  let started = options.startAt === undefined
  workspace.state = 'stopped'
  Object.assign(workspace.activations, workspace.buffers)
  const kernels = started ? model.kernels : heldBack(model.kernels, () => started)
  const steps = forwardSteps({ ...model, kernels }, workspace, attention(kernels), hooks)
  let step = steps.next()
  while (!step.done) {
    const [name, tensor] = step.value
    started ||= name === options.startAt
    const activation = (started && hooks[name]?.(tensor, name)) || tensor
    requireSameShape(name, activation, tensor)
    workspace.activations[name] = activation
    if (name === options.stopAfter) return
    step = steps.next(activation)
  }
  if (options.startAt === undefined) workspace.state = 'logits'
}

function requireStart(config: TransformerConfig, startAt: string, hooks: readonly string[]): void {
  hooksToStartAt(config, startAt)
  const names = hookNames(config)
  const early = hooks.find((name) => names.indexOf(name) < names.indexOf(startAt))
  if (early !== undefined)
    throw new MonosemError(
      'config',
      `model/forward: a pass that starts at ${startAt} does not reach ${early}`,
    )
}

/** The same kernels, on which nothing is enqueued before `started()`. */
function heldBack(kernels: Kernels, started: () => boolean): Kernels {
  return new Proxy(kernels, {
    get: (target, name) => {
      const operation = Reflect.get(target, name)
      if (typeof operation !== 'function') return operation
      return started() ? operation.bind(target) : () => {}
    },
  })
}

function* forwardSteps(
  model: Transformer,
  workspace: Workspace,
  attention: Attention,
  hooks: Record<string, Hook>,
): Steps<void> {
  const { kernels, config, params } = model
  const { buffers, contextLength: T } = workspace
  kernels.embedForward(buffers.hook_embed, workspace.tokens, params['embed.W_E'], null, T)
  const embed = yield ['hook_embed', buffers.hook_embed]
  kernels.embedForward(buffers.hook_pos_embed, workspace.positions, params['pos_embed.W_pos'], null, T)
  const posEmbed = yield ['hook_pos_embed', buffers.hook_pos_embed]

  let resid = sum(kernels, buffers['blocks.0.hook_resid_pre'], embed, posEmbed)
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `blocks.${layer}`
    if (layer > 0) {
      kernels.copy(buffers[`${block}.hook_resid_pre`], resid)
      resid = buffers[`${block}.hook_resid_pre`]
    }
    resid = yield [`${block}.hook_resid_pre`, resid]
    resid = yield* attentionForward(model, workspace, attention, block, resid, hooks)
    resid = yield* mlpForward(model, workspace, block, resid)
  }
  const normalized = yield* layerNormForward(model, workspace, 'ln_final', resid)
  kernels.linearForward(workspace.logits, normalized, params['unembed.W_U'], null)
}

/** resid_mid = resid_pre + Attention(LayerNorm(resid_pre)); all [N, D] */
function* attentionForward(
  model: Transformer,
  workspace: Workspace,
  attention: Attention,
  block: string,
  residPre: Tensor,
  hooks: Record<string, Hook>,
): Steps<Tensor> {
  const { kernels, params } = model
  const { buffers } = workspace
  const x = yield* layerNormForward(model, workspace, `${block}.ln1`, residPre)
  const [q, k, v] = [`${block}.attn.hook_q`, `${block}.attn.hook_k`, `${block}.attn.hook_v`]
  kernels.linearForward(buffers[q], x, params[`${block}.attn.W_Q`], params[`${block}.attn.b_Q`])
  const queries = yield [q, buffers[q]]
  kernels.linearForward(buffers[k], x, params[`${block}.attn.W_K`], params[`${block}.attn.b_K`])
  const keys = yield [k, buffers[k]]
  kernels.linearForward(buffers[v], x, params[`${block}.attn.W_V`], params[`${block}.attn.b_V`])
  const values = yield [v, buffers[v]]

  const [name, z] = [`${block}.attn.hook_pattern`, buffers[`${block}.attn.hook_z`]]
  attention.attend(block, z, buffers[name], queries, keys, values)
  if (hooks[name]) {
    // The backward pass of the softmax needs the pattern as it was, so the hook works on a copy.
    kernels.copy(scratch(model, workspace, name, buffers[name].shape), buffers[name])
    workspace.hookedPatterns.add(name)
    const pattern = yield [name, buffers[name]]
    attention.mix(block, z, pattern, values)
  } else {
    workspace.hookedPatterns.delete(name)
    yield [name, buffers[name]]
  }
  const mixed = yield [`${block}.attn.hook_z`, z]

  const out = buffers[`${block}.hook_attn_out`]
  kernels.linearForward(out, mixed, params[`${block}.attn.W_O`], params[`${block}.attn.b_O`])
  const attnOut = yield [`${block}.hook_attn_out`, out]
  const residMid = sum(kernels, buffers[`${block}.hook_resid_mid`], residPre, attnOut)
  return yield [`${block}.hook_resid_mid`, residMid]
}

/** resid_post = resid_mid + W_out gelu(W_in LayerNorm(resid_mid)); resid [N, D], neurons [N, M] */
function* mlpForward(
  model: Transformer,
  workspace: Workspace,
  block: string,
  residMid: Tensor,
): Steps<Tensor> {
  const { kernels, params } = model
  const { buffers } = workspace
  const x = yield* layerNormForward(model, workspace, `${block}.ln2`, residMid)
  const [pre, post] = [buffers[`${block}.mlp.hook_pre`], buffers[`${block}.mlp.hook_post`]]
  kernels.linearForward(pre, x, params[`${block}.mlp.W_in`], params[`${block}.mlp.b_in`])
  const preActivation = yield [`${block}.mlp.hook_pre`, pre]
  kernels.activationForward(post, preActivation, 'gelu_tanh')
  const neurons = yield [`${block}.mlp.hook_post`, post]
  const out = buffers[`${block}.hook_mlp_out`]
  kernels.linearForward(out, neurons, params[`${block}.mlp.W_out`], params[`${block}.mlp.b_out`])
  const mlpOut = yield [`${block}.hook_mlp_out`, out]
  const residPost = sum(kernels, buffers[`${block}.hook_resid_post`], residMid, mlpOut)
  return yield [`${block}.hook_resid_post`, residPost]
}

/** The hook sees the output after scale and bias, as in TransformerLens without folding. */
function* layerNormForward(model: Transformer, workspace: Workspace, name: string, x: Tensor): Steps<Tensor> {
  const { kernels, params } = model
  const { statistics } = workspace
  const out = workspace.buffers[`${name}.hook_normalized`]
  const [mean, rstd] = [statistics[`${name}.mean`], statistics[`${name}.rstd`]]
  kernels.layerNormForward(out, mean, rstd, x, params[`${name}.w`], params[`${name}.b`], LAYER_NORM_EPSILON)
  return yield [`${name}.hook_normalized`, out]
}

/** out = a + b */
function sum(kernels: Kernels, out: Tensor, a: Tensor, b: Tensor): Tensor {
  kernels.copy(out, a)
  kernels.addInPlace(out, b)
  return out
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
 * @throws MonosemError config (the last forward pass was stopped, or its logits are gone)
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
 * @throws MonosemError config (the last forward pass was stopped, or its logits are gone)
 */
export function backwardFromLogits(
  model: Transformer,
  workspace: Workspace,
  parameterGradients: Record<string, Tensor> | null,
): void {
  requireLogits(workspace)
  const { kernels, config, params } = model
  const { activations, gradients, logits } = workspace
  const grads = parameterGradients ?? {}
  allocateGradients(model, workspace)
  workspace.state = 'gradients'
  const dNormalized = gradients['ln_final.hook_normalized']
  const normalized = activations['ln_final.hook_normalized']
  const dW = grads['unembed.W_U'] ?? null
  kernels.linearBackward(dNormalized, dW, null, logits, normalized, params['unembed.W_U'])
  const last = `blocks.${config.layers - 1}.hook_resid_post`
  layerNormBackward(model, workspace, grads, 'ln_final', last)
  for (let layer = config.layers - 1; layer >= 0; layer--) {
    mlpBackward(model, workspace, grads, `blocks.${layer}`)
    attentionBackward(model, workspace, grads, `blocks.${layer}`)
  }
  if (parameterGradients) {
    const dEmbed = gradients.hook_embed
    kernels.embedBackward(
      grads['embed.W_E'],
      grads['pos_embed.W_pos'],
      dEmbed,
      workspace.tokens,
      workspace.contextLength,
    )
  }
}

function mlpBackward(
  model: Transformer,
  workspace: Workspace,
  grads: Record<string, Tensor>,
  block: string,
): void {
  const { kernels } = model
  const { activations, gradients } = workspace
  const [pre, post] = [`${block}.mlp.hook_pre`, `${block}.mlp.hook_post`]
  linearBackward(model, workspace, grads, `${block}.mlp`, 'out', post, `${block}.hook_mlp_out`)
  kernels.activationBackward(gradients[pre], gradients[post], activations[pre], 'gelu_tanh')
  linearBackward(model, workspace, grads, `${block}.mlp`, 'in', `${block}.ln2.hook_normalized`, pre)
  layerNormBackward(model, workspace, grads, `${block}.ln2`, `${block}.hook_resid_mid`)
  kernels.addInPlace(gradients[`${block}.hook_resid_mid`], gradients[`${block}.hook_resid_post`])
}

function attentionBackward(
  model: Transformer,
  workspace: Workspace,
  grads: Record<string, Tensor>,
  block: string,
): void {
  const { kernels } = model
  const { activations: a, gradients: d, starts } = workspace
  const attn = `${block}.attn`
  const [q, k, v, z, pattern] = ['q', 'k', 'v', 'z', 'pattern'].map((name) => `${attn}.hook_${name}`)
  linearBackward(model, workspace, grads, attn, 'O', z, `${block}.hook_attn_out`)
  const original = workspace.hookedPatterns.has(pattern) ? workspace.scratch[pattern] : undefined
  kernels.attentionBackward(
    d[q],
    d[k],
    d[v],
    d[z],
    original ?? a[pattern],
    a[q],
    a[k],
    a[v],
    starts,
    attentionOptions(model.config),
  )
  if (original) {
    d[pattern] = scratch(model, workspace, `${pattern} gradient`, original.shape)
    mixValuesBackward(kernels, d[pattern], d[v], d[z], a[pattern], a[v])
  }
  const normalized = `${block}.ln1.hook_normalized`
  linearBackward(model, workspace, grads, attn, 'Q', normalized, q)
  const fromQueries = scratch(model, workspace, 'sum', d[normalized].shape)
  kernels.copy(fromQueries, d[normalized])
  linearBackward(model, workspace, grads, attn, 'K', normalized, k)
  kernels.addInPlace(fromQueries, d[normalized])
  linearBackward(model, workspace, grads, attn, 'V', normalized, v)
  kernels.addInPlace(d[normalized], fromQueries)
  layerNormBackward(model, workspace, grads, `${block}.ln1`, `${block}.hook_resid_pre`)
  kernels.addInPlace(d[`${block}.hook_resid_pre`], d[`${block}.hook_resid_mid`])
}

/**
 * Backward of `output = input W + b`, both given as hook points; the gradient of the input is overwritten.
 */
function linearBackward(
  model: Transformer,
  { activations, gradients }: Workspace,
  grads: Record<string, Tensor>,
  part: string,
  suffix: string,
  input: string,
  output: string,
): void {
  const [w, b] = [`${part}.W_${suffix}`, `${part}.b_${suffix}`]
  const dW = grads[w] ?? null
  const db = grads[b] ?? null
  model.kernels.linearBackward(
    gradients[input],
    dW,
    db,
    gradients[output],
    activations[input],
    model.params[w],
  )
}

/**
 * Backward of a LayerNorm that reads the residual stream at hook point `input`, whose gradient is
 * overwritten.
 */
function layerNormBackward(
  model: Transformer,
  { activations, gradients, statistics }: Workspace,
  grads: Record<string, Tensor>,
  name: string,
  input: string,
): void {
  const [dW, db] = [grads[`${name}.w`] ?? null, grads[`${name}.b`] ?? null]
  const [mean, rstd] = [statistics[`${name}.mean`], statistics[`${name}.rstd`]]
  const dout = gradients[`${name}.hook_normalized`]
  const x = activations[input]
  model.kernels.layerNormBackward(gradients[input], dW, db, dout, x, model.params[`${name}.w`], mean, rstd)
}

/**
 * Gradients of what is only added to the residual stream are those of the stream after it, so they share
 * its tensor.
 */
function allocateGradients(model: Transformer, workspace: Workspace): void {
  const { config, kernels } = model
  const { gradients, buffers } = workspace
  for (const name of hookNames(config)) if (name.endsWith('hook_pattern')) delete gradients[name]
  if (gradients.hook_embed) return
  const shared: [string, string][] = []
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `blocks.${layer}`
    if (layer + 1 < config.layers)
      shared.push([`${block}.hook_resid_post`, `blocks.${layer + 1}.hook_resid_pre`])
    shared.push([`${block}.hook_mlp_out`, `${block}.hook_resid_post`])
    shared.push([`${block}.hook_attn_out`, `${block}.hook_resid_mid`])
  }
  shared.push(['hook_embed', 'blocks.0.hook_resid_pre'], ['hook_pos_embed', 'blocks.0.hook_resid_pre'])
  const sharing = new Set(shared.map(([name]) => name))
  for (const name of hookNames(config)) {
    if (sharing.has(name) || name.endsWith('hook_pattern')) continue
    gradients[name] = kernels.zeros(buffers[name].shape)
    workspace.owned.push(gradients[name])
  }
  for (const [name, owner] of shared) gradients[name] = gradients[owner]
}

const elements = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)
