import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import { keyHead } from './attention-pattern.js'
import {
  type AsyncHook,
  type Attention,
  attentionOptions,
  BEFORE_LOGITS,
  createWorkspace,
  type ForwardOptions,
  freeWorkspace,
  runForward,
  runForwardAsync,
  type Transformer,
  unembed,
  type Workspace,
  type WorkspaceOptions,
} from './transformer.js'
import { createRotaryTensors, type RotaryTensors } from './workspace.js'

/*
 * A forward pass over new positions only. What attention needs of earlier ones, their keys and values, is kept.
 *
 * Shapes: N new positions, B sequences, S positions of each in the cache, H query heads, G key heads, W head width. Hook points have the names
 * and widths of `forward` with N rows, whatever sequence they belong to; a pattern is [N, H, S].
 */

/** Keys and values of every layer, [B, S, G*W] each. Owned by the kernels; `freeKeyValueCache` gives them back. */
export interface KeyValueCache {
  /** B */
  sequences: number
  /** S */
  positions: number
  /** by layer; keys as they are after they turned */
  keys: Tensor[]
  values: Tensor[]
  /** for all S positions */
  rotary: RotaryTensors | null
  /** what the workspaces keep */
  keep: WorkspaceOptions['keep']
  /** buffers by number of rows, for passes with at most one row a sequence */
  workspaces: Map<number, Workspace>
  /** buffers of the last pass when it had more rows than that */
  temporary: Workspace | null
}

export interface KeyValueCacheOptions {
  /** S, positions that each sequence can reach, at most the model's context. Default: the context, which may be very long */
  positions?: number
  /** hook points whose activations survive a pass, see `WorkspaceOptions`. Default: what `rowLogits` reads */
  keep?: WorkspaceOptions['keep']
}

/** New positions, in any order, several of one sequence or none. [N] each */
export interface NewPositions {
  tokens: Int32Array
  /** 0 .. B-1 */
  sequences: Int32Array
  /**
   * 0 .. S-1, position in the sequence's window: the row attends to all positions up to its own, which must have been computed in
   * this pass or before. Computing a position again replaces it; so a sequence is begun anew by computing its position 0
   */
  positions: Int32Array
}

/**
 * An empty cache for this many sequences.
 * @throws MonosemError config (more positions than the model's context)
 */
export function createKeyValueCache(
  model: Transformer,
  sequences: number,
  { positions = model.config.context, keep = [BEFORE_LOGITS] }: KeyValueCacheOptions = {},
): KeyValueCache {
  const { kernels, config } = model
  if (!(positions >= 1 && positions <= config.context))
    throw new MonosemError(
      'config',
      `model/cached-forward: expected 1 to ${config.context} positions, got ${positions}`,
    )
  const shape = [sequences, positions, config.keyValueHeads * config.headWidth]
  const room = () => Array.from({ length: config.layers }, () => kernels.zeros(shape))
  return {
    sequences,
    positions,
    keys: room(),
    values: room(),
    rotary: createRotaryTensors(model, positions),
    keep,
    workspaces: new Map(),
    temporary: null,
  }
}

/** Gives the memory back; using the cache later is an error. */
export function freeKeyValueCache(model: Transformer, cache: KeyValueCache): void {
  for (const workspace of cache.workspaces.values()) freeWorkspace(model, workspace)
  cache.workspaces.clear()
  freeTemporary(model, cache)
  for (const tensor of [...cache.keys, ...cache.values, ...Object.values(cache.rotary ?? {})])
    model.kernels.free(tensor)
}

/**
 * Enqueues a forward pass over new positions and adds them to the cache. Activations are in the workspace that is returned, until the
 * next pass; there is no backward pass.
 * @throws MonosemError shape (a sequence, position or token out of range, a hook's tensor of another size), config (unknown hook point)
 */
export function cachedForward(
  model: Transformer,
  cache: KeyValueCache,
  rows: NewPositions,
  options: ForwardOptions = {},
): Workspace {
  const { workspace, attention, free } = startPass(model, cache, rows)
  runForward(model, workspace, attention, options)
  free()
  return workspace
}

/** `cachedForward` with hooks that may wait. Resolves when everything is enqueued. @throws MonosemError as `cachedForward`; what a hook throws */
export async function cachedForwardAsync(
  model: Transformer,
  cache: KeyValueCache,
  rows: NewPositions,
  options: ForwardOptions<AsyncHook> = {},
): Promise<Workspace> {
  const { workspace, attention, free } = startPass(model, cache, rows)
  try {
    await runForwardAsync(model, workspace, attention, options)
  } finally {
    free()
  }
  return workspace
}

/** Writes the rows of a pass into its workspace; how they attend to the cache, and what frees the tensors that this takes. */
function startPass(model: Transformer, cache: KeyValueCache, rows: NewPositions) {
  requireRows(model, cache, rows)
  const { kernels } = model
  const N = rows.tokens.length
  const workspace = workspaceFor(model, cache, N)
  kernels.write(workspace.tokens, rows.tokens)
  kernels.write(workspace.positions, rows.positions)
  const ints = (data: Int32Array): Tensor => kernels.tensor(data, [N])
  const sequences = ints(rows.sequences)
  const lengths = ints(rows.positions.map((position) => position + 1))
  const places = ints(rows.positions.map((position, n) => rows.sequences[n] * cache.positions + position))
  const on = { sequences, lengths, places }
  return {
    workspace,
    attention: (kernels: Kernels) => cachedAttention({ ...model, kernels }, cache, rows, on),
    free: () => {
      for (const tensor of Object.values(on)) kernels.free(tensor)
    },
  }
}

/**
 * Logits [n, V] of what follows some rows of a pass that ran to its last hook point. Enqueues only; the caller frees the result.
 * @param which [n] rows of the pass
 * @throws MonosemError config (the pass ended earlier, or did not keep that hook point)
 */
export function rowLogits(model: Transformer, pass: Workspace, which: Int32Array): Tensor {
  const { kernels, config } = model
  const normalized = pass.activations[BEFORE_LOGITS]
  if (normalized === undefined)
    throw new MonosemError('config', `model/cached-forward: expected a pass that kept ${BEFORE_LOGITS}`)
  const ids = kernels.tensor(which, [which.length])
  const chosen = kernels.zeros([which.length, config.dModel])
  const logits = kernels.zeros([which.length, config.vocabularySize])
  kernels.gatherRows(chosen, normalized, ids)
  unembed(model, logits, chosen)
  for (const tensor of [ids, chosen]) kernels.free(tensor)
  return logits
}

/** Rows write their keys and values into the cache, then attend to what is there. */
function cachedAttention(
  { kernels, config }: Transformer,
  cache: KeyValueCache,
  rows: NewPositions,
  on: { sequences: Tensor; lengths: Tensor; places: Tensor },
): Attention {
  const flat = (t: Tensor): Tensor => kernels.reshape(t, [t.shape[0] * t.shape[1], t.shape[2]])
  return {
    patternShape: [rows.tokens.length, config.heads, cache.positions],
    attend(layer, z, pattern, q, k, v) {
      const [keys, values] = [cache.keys[layer], cache.values[layer]]
      kernels.scatterRows(flat(keys), k, on.places)
      kernels.scatterRows(flat(values), v, on.places)
      const options = attentionOptions(config, layer)
      kernels.attentionCachedForward(z, pattern, q, keys, values, on.sequences, on.lengths, options)
    },
    mix: (layer, z, pattern) =>
      mixCachedValues({ kernels, config }, z, pattern, cache.values[layer], rows.sequences),
  }
}

/**
 * z [N, H*W] = pattern [N, H, S] applied to cached values [B, S, G*W], after a hook: each head's weights give a sum of whole rows, of which
 * the columns of its key head are kept. Only runs with such a hook pay for it.
 */
function mixCachedValues(
  { kernels, config }: Pick<Transformer, 'kernels' | 'config'>,
  z: Tensor,
  pattern: Tensor,
  values: Tensor,
  sequences: Int32Array,
): void {
  const { headWidth: W, keyValueHeads: G } = config
  const [N, H, S] = pattern.shape
  const flatValues = kernels.reshape(values, [values.shape[0] * S, G * W])
  const flatPattern = kernels.reshape(pattern, [N * H, S])
  const mixed = kernels.zeros([H, G * W])
  const parts = kernels.reshape(mixed, [H * G, W])
  for (let n = 0; n < N; n++) {
    const own = kernels.rows(flatValues, sequences[n] * S, S)
    kernels.linearForward(mixed, kernels.rows(flatPattern, n * H, H), own, null)
    const target = kernels.reshape(kernels.rows(z, n, 1), [H, W])
    for (let h = 0; h < H; h++)
      kernels.copy(kernels.rows(target, h, 1), kernels.rows(parts, h * G + keyHead(h, config), 1))
  }
  kernels.free(mixed)
}

/** Buffers for N rows: kept for the passes that add one position to each of some sequences, which are many. */
function workspaceFor(model: Transformer, cache: KeyValueCache, N: number): Workspace {
  freeTemporary(model, cache)
  const kept = cache.workspaces.get(N)
  if (kept) return kept
  const workspace = createWorkspace(model, N, 1, { keep: cache.keep })
  workspace.rotary = cache.rotary
  if (N <= cache.sequences) cache.workspaces.set(N, workspace)
  else cache.temporary = workspace
  return workspace
}

function freeTemporary(model: Transformer, cache: KeyValueCache): void {
  if (cache.temporary) freeWorkspace(model, cache.temporary)
  cache.temporary = null
}

function requireRows({ config }: Transformer, cache: KeyValueCache, rows: NewPositions): void {
  const limits = {
    tokens: config.vocabularySize,
    sequences: cache.sequences,
    positions: cache.positions,
  }
  for (const [name, limit] of Object.entries(limits)) {
    const values = rows[name as keyof NewPositions]
    if (values.length !== rows.tokens.length || values.length === 0)
      throw new MonosemError(
        'shape',
        `model/cached-forward: expected ${name} [${rows.tokens.length || 'N'}], got [${values.length}]`,
      )
    const wrong = values.find((value) => value < 0 || value >= limit)
    if (wrong !== undefined)
      throw new MonosemError('shape', `model/cached-forward: expected ${name} below ${limit}, got ${wrong}`)
  }
}
