import { MonosemError } from '../errors/monosem-error.js'
import type { Tensor } from '../kernels/kernels.js'
import type { GradientStep } from './gradients.js'
import { hookPlace, hookWidth, splitHookName } from './hook-points.js'
import type { Transformer } from './parameters.js'
import { rotaryTables } from './rotary.js'
import type { TransformerConfig } from './transformer-config.js'

/** Cosines and sines [positions, R/2], owned by the kernels. */
export interface RotaryTensors {
  cos: Tensor
  sin: Tensor
}

export interface WorkspaceOptions {
  /**
   * Hook points whose activations survive a pass. `all` (the default) is what a backward pass needs. With a list, blocks share their buffers, so
   * that a pass takes the memory of one block, whatever the number of layers; a hook still sees every activation.
   */
  keep?: 'all' | readonly string[]
}

/**
 * All buffers of a forward and backward pass over B sequences of T tokens. Owned by the kernels;
 * `freeWorkspace` gives them back. They are allocated when a pass first needs them.
 */
export interface Workspace {
  batch: number
  contextLength: number
  keep: 'all' | ReadonlySet<string>
  /** [N] i32 each: the batch as written by `forward` */
  tokens: Tensor
  targets: Tensor
  starts: Tensor
  /** [N] i32: position of each token in its sequence */
  positions: Tensor
  /** of a model whose positions turn queries and keys */
  rotary: RotaryTensors | null
  /**
   * What the last forward pass computed at each hook point that is kept, after hooks: [N, width], and [B, H, T, T] for
   * patterns.
   */
  activations: Record<string, Tensor>
  /**
   * Gradient at each hook point after `backward`. Some names share a tensor because their gradients are
   * equal.
   */
  gradients: Record<string, Tensor>
  /** [N, V], allocated at first use; `backward` overwrites them with their gradient */
  readonly logits: Tensor
  /** [N] loss of each token in nats */
  losses: Tensor
  /** how far the workspace is: logits are valid after a complete forward pass, and gone after `backward` */
  state: 'empty' | 'stopped' | 'logits' | 'gradients'
  /** how to go back through the last forward pass, first layer first; empty unless everything is kept */
  tape: GradientStep[]
  /**
   * The workspace's own tensor under a name, allocated at its first use.
   * @param shape of a tensor that there is already: as many elements
   */
  room(name: string, shape: readonly number[]): Tensor
  /** everything allocated, for `freeWorkspace` */
  owned: Tensor[]
}

/**
 * Makes the workspace for `batch` sequences of `contextLength` tokens.
 * @throws MonosemError config (contextLength beyond the model's context, no such hook point)
 */
export function createWorkspace(
  model: Transformer,
  batch: number,
  contextLength: number,
  options: WorkspaceOptions = {},
): Workspace {
  const { kernels, config } = model
  if (!(contextLength >= 1 && contextLength <= config.context))
    throw new MonosemError(
      'config',
      `model/transformer: expected 1 to ${config.context} positions, got ${contextLength}`,
      { hint: 'the model was not made for positions beyond its context' },
    )
  const { keep = 'all' } = options
  if (keep !== 'all') for (const name of keep) hookPlace(config, name)
  const N = batch * contextLength
  const owned: Tensor[] = []
  const own = (tensor: Tensor): Tensor => {
    owned.push(tensor)
    return tensor
  }
  const ids = () => own(kernels.zeros([N], 'i32'))
  const rooms = new Map<string, Tensor>()
  const room = (name: string, shape: readonly number[]): Tensor => {
    const found = rooms.get(name) ?? own(kernels.zeros(shape))
    rooms.set(name, found)
    return found
  }
  return {
    batch,
    contextLength,
    keep: keep === 'all' ? keep : new Set(keep),
    tokens: ids(),
    targets: ids(),
    starts: ids(),
    positions: own(
      kernels.tensor(
        Int32Array.from({ length: N }, (_, n) => n % contextLength),
        [N],
      ),
    ),
    rotary: createRotaryTensors(model, contextLength, own),
    activations: {},
    gradients: {},
    get logits() {
      return room('logits', [N, config.vocabularySize])
    },
    losses: own(kernels.zeros([N])),
    state: 'empty',
    tape: [],
    room,
    owned,
  }
}

/** Gives the workspace's memory back; using it later is an error. */
export function freeWorkspace(model: Transformer, workspace: Workspace): void {
  workspace.tape = []
  for (const tensor of workspace.owned.splice(0)) model.kernels.free(tensor)
}

/** Tables for positions 0 .. positions-1, or null for a model whose positions do not turn anything. */
export function createRotaryTensors(
  { kernels, config }: Transformer,
  positions: number,
  own: (tensor: Tensor) => Tensor = (tensor) => tensor,
): RotaryTensors | null {
  if (!config.rotary) return null
  const { cos, sin, shape } = rotaryTables(config.rotary, positions)
  return { cos: own(kernels.tensor(cos, shape)), sin: own(kernels.tensor(sin, shape)) }
}

export const keeps = ({ keep }: Workspace, name: string): boolean => keep === 'all' || keep.has(name)

/**
 * The workspace's own tensor [N, width] for the activation at a hook point.
 * @throws MonosemError config (no such hook point; or the attention pattern)
 */
export function hookBuffer({ config }: Transformer, workspace: Workspace, name: string): Tensor {
  const rows = workspace.batch * workspace.contextLength
  return workspace.room(hookRoom(config, workspace, name), [rows, hookWidth(config, name)])
}

/** 1 / standard deviation [N] of what a norm ("blocks.0.ln1") read in the last forward pass, of a workspace that keeps all. */
export function normRstd(workspace: Workspace, norm: string): Tensor {
  return workspace.room(`${norm} rstd`, [workspace.batch * workspace.contextLength])
}

/**
 * The room of the activation at a hook point: its own where it is kept. Otherwise it is shared with other layers, and with other activations of the
 * block: where one is over before the next begins, or is computed from it in place.
 */
export function hookRoom(config: TransformerConfig, workspace: Workspace, name: string): string {
  if (keeps(workspace, name)) return name
  const { point } = splitHookName(name)
  if (/^hook_(embed|resid_pre|resid_mid|resid_post)$/.test(point)) return 'residual stream'
  if (/^((ln1|ln2|ln_final)\.hook_normalized|(attn|mlp)\.hook_out)$/.test(point)) return 'beside it'
  if (/^hook_(pos_embed|attn_out)$/.test(point)) return 'written to it'
  if (point === 'hook_mlp_out' && !config.parallelResidual) return 'written to it'
  if (point === 'mlp.hook_post' && !config.gatedMlp) return 'mlp.hook_pre'
  const norm = config.queryKeyNorms
  if (point === 'attn.hook_rot_q') return norm ? 'attn.q_norm.hook_normalized' : 'attn.hook_q'
  if (point === 'attn.hook_rot_k') return norm ? 'attn.k_norm.hook_normalized' : 'attn.hook_k'
  return point
}
