import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import {
  type Attention,
  attentionOptions,
  createWorkspace,
  type ForwardOptions,
  freeWorkspace,
  runForward,
  type Transformer,
  type TransformerConfig,
  type Workspace,
} from './transformer.js'

/*
 * A forward pass over new positions only. What attention needs of earlier ones, their keys and values, is kept.
 *
 * Shapes: N new positions, B sequences, S = context positions of each in the cache, D = dModel, H heads. Hook points have the names
 * and widths of `forward` with N rows, whatever sequence they belong to; a pattern is [N, H, S].
 */

/** Keys and values of every layer, [B, S, D] each. Owned by the kernels; `freeKeyValueCache` gives them back. */
export interface KeyValueCache {
  /** B */
  sequences: number
  /** by block */
  keys: Record<string, Tensor>
  values: Record<string, Tensor>
  /** buffers by number of rows, for passes with at most one row a sequence */
  workspaces: Map<number, Workspace>
  /** buffers of the last pass when it had more rows than that */
  temporary: Workspace | null
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

/** An empty cache for this many sequences. */
export function createKeyValueCache({ kernels, config }: Transformer, sequences: number): KeyValueCache {
  const blocks = Array.from({ length: config.layers }, (_, layer) => `blocks.${layer}`)
  const room = () =>
    Object.fromEntries(
      blocks.map((block) => [block, kernels.zeros([sequences, config.context, config.dModel])]),
    )
  return { sequences, keys: room(), values: room(), workspaces: new Map(), temporary: null }
}

/** Gives the memory back; using the cache later is an error. */
export function freeKeyValueCache(model: Transformer, cache: KeyValueCache): void {
  for (const workspace of cache.workspaces.values()) freeWorkspace(model, workspace)
  cache.workspaces.clear()
  freeTemporary(model, cache)
  for (const tensor of [...Object.values(cache.keys), ...Object.values(cache.values)])
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
  requireRows(model, cache, rows)
  const { kernels, config } = model
  const N = rows.tokens.length
  const workspace = workspaceFor(model, cache, N)
  kernels.write(workspace.tokens, rows.tokens)
  kernels.write(workspace.positions, rows.positions)
  const ints = (data: Int32Array): Tensor => kernels.tensor(data, [N])
  const sequences = ints(rows.sequences)
  const lengths = ints(rows.positions.map((position) => position + 1))
  const places = ints(rows.positions.map((position, n) => rows.sequences[n] * config.context + position))
  const on = { sequences, lengths, places }
  runForward(model, workspace, (kernels) => cachedAttention(kernels, config, cache, rows, on), options)
  for (const tensor of Object.values(on)) kernels.free(tensor)
  return workspace
}

/**
 * Logits [n, V] of what follows some rows of a pass that ran to its last hook point. Enqueues only; the caller frees the result.
 * @param which [n] rows of the pass
 */
export function rowLogits(
  { kernels, config, params }: Transformer,
  pass: Workspace,
  which: Int32Array,
): Tensor {
  const normalized = pass.activations['ln_final.hook_normalized']
  const ids = kernels.tensor(which, [which.length])
  const chosen = kernels.zeros([which.length, config.dModel])
  const logits = kernels.zeros([which.length, config.vocabularySize])
  kernels.gatherRows(chosen, normalized, ids)
  kernels.linearForward(logits, chosen, params['unembed.W_U'], null)
  for (const tensor of [ids, chosen]) kernels.free(tensor)
  return logits
}

/** Rows write their keys and values into the cache, then attend to what is there. */
function cachedAttention(
  kernels: Kernels,
  config: TransformerConfig,
  cache: KeyValueCache,
  rows: NewPositions,
  on: { sequences: Tensor; lengths: Tensor; places: Tensor },
): Attention {
  const flat = (t: Tensor): Tensor => kernels.reshape(t, [t.shape[0] * t.shape[1], t.shape[2]])
  return {
    attend(block, z, pattern, q, k, v) {
      const [keys, values] = [cache.keys[block], cache.values[block]]
      kernels.scatterRows(flat(keys), k, on.places)
      kernels.scatterRows(flat(values), v, on.places)
      const options = attentionOptions(config)
      kernels.attentionCachedForward(z, pattern, q, keys, values, on.sequences, on.lengths, options)
    },
    mix: (block, z, pattern) => mixCachedValues(kernels, z, pattern, cache.values[block], rows.sequences),
  }
}

/**
 * z [N, D] = pattern [N, H, S] applied to cached values [B, S, D], after a hook: each head's weights give a sum of whole rows, of which
 * its own columns are kept. Only runs with such a hook pay for it.
 */
function mixCachedValues(
  kernels: Kernels,
  z: Tensor,
  pattern: Tensor,
  values: Tensor,
  sequences: Int32Array,
): void {
  const [N, H, S] = pattern.shape
  const D = values.shape[2]
  const flatValues = kernels.reshape(values, [values.shape[0] * S, D])
  const flatPattern = kernels.reshape(pattern, [N * H, S])
  const mixed = kernels.zeros([H, D])
  const columns = D / H
  for (let n = 0; n < N; n++) {
    const own = kernels.rows(flatValues, sequences[n] * S, S)
    kernels.linearForward(mixed, kernels.rows(flatPattern, n * H, H), own, null)
    const parts = kernels.reshape(mixed, [H * H, columns])
    const target = kernels.reshape(kernels.rows(z, n, 1), [H, columns])
    for (let h = 0; h < H; h++) kernels.copy(kernels.rows(target, h, 1), kernels.rows(parts, h * H + h, 1))
  }
  kernels.free(mixed)
}

/** Buffers for N rows: kept for the passes that add one position to each of some sequences, which are many. */
function workspaceFor(model: Transformer, cache: KeyValueCache, N: number): Workspace {
  freeTemporary(model, cache)
  const kept = cache.workspaces.get(N)
  if (kept) return kept
  const workspace = createWorkspace(model, N, 1)
  const { kernels, config } = model
  for (let layer = 0; layer < config.layers; layer++) {
    const pattern = kernels.zeros([N, config.heads, config.context])
    workspace.buffers[`blocks.${layer}.attn.hook_pattern`] = pattern
    workspace.owned.push(pattern)
  }
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
    positions: config.context,
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
