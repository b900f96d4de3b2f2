import type { TokenCorpus } from '../corpus/corpus.js'
import { fillWindows, locate, type WindowBatch } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import {
  createWorkspace,
  forward,
  freeWorkspace,
  hookWidth,
  lastHook,
  type Transformer,
  type Workspace,
} from '../model/transformer.js'
import { Random } from '../random/random.js'
import type { ActivationPair, ActivationSource } from '../sae/activation-source.js'
import { createRowLayout, type RowLayout } from './row-layout.js'

export interface LiveSourceOptions {
  /** hook point whose activations are given, one vector per token, e.g. "blocks.0.mlp.hook_post" */
  hookName: string
  /** hook point of the same tokens that a transcoder reconstructs; the source then gives pairs. Default: hookName, no pairs */
  targetHookName?: string
  seed: number
  /** size of the shuffle buffer in activations */
  bufferTokens: number
  /** number format of the buffer; batches are always f32 */
  dtype: 'f32' | 'bf16'
  /** sequences per forward pass */
  modelBatch: number
  /** tokens of each sequence. Default: the model's context, which may be very long */
  contextSize?: number
}

/** Room for the activations of one hook point. */
interface HookBuffers {
  hookName: string
  /** [block rows, D] */
  buffer: Tensor
  /** [batchSize, D] f32 */
  batch: Tensor
}

/** The buffers that one iteration over the source owns. */
interface Buffers {
  workspace: Workspace
  /** [modelBatch * T] i32 */
  ids: Tensor
  /** inputs, and targets where there are any */
  hooks: HookBuffers[]
  /** hook point after which a forward pass can end */
  lastHook: string
  /** [block rows] i32: a permutation of the rows */
  order: Tensor
  tokens: WindowBatch | undefined
}

/** What the source is made of. */
interface Parts {
  kernels: Kernels
  model: Transformer
  corpus: TokenCorpus
  layout: RowLayout
  options: LiveSourceOptions
}

/**
 * Activations of a model as it runs over the training tokens. The rows (see `RowLayout`) are cut into blocks of `bufferTokens`; each
 * block is computed into the buffer, shuffled whole, and given out in batches. A block depends on its number only: to
 * skip batches, the blocks before are not computed. Two hook points take one forward pass, and their rows stay side by side.
 * A buffer larger than an epoch is cut down to one; blocks are whole batches.
 * @throws MonosemError config (no such hook point; no text; buffer smaller than a batch)
 */
export function createLiveSource(
  kernels: Kernels,
  model: Transformer,
  corpus: TokenCorpus,
  options: LiveSourceOptions,
): ActivationSource {
  const { hookName, targetHookName = hookName, contextSize = model.config.context } = options
  const layout = createRowLayout(corpus.train, contextSize, corpus.tokenizer.startOfText, options.seed)
  const parts: Parts = { kernels, model, corpus, layout, options }
  const pairs = targetHookName !== hookName
  const dOut = hookWidth(model.config, targetHookName)
  return {
    d: hookWidth(model.config, hookName),
    ...(pairs && { dOut }),
    metadata: {
      model_name: 'monosem',
      hook_name: hookName,
      ...(pairs && { hook_name_out: targetHookName }),
      context_size: contextSize,
      prepend_bos: false,
    },
    batches: ({ batchSize, skip }) => batchesOf(parts, batchSize, skip),
    locate: (place) => locateRow(parts, place),
  }
}

async function* batchesOf(
  parts: Parts,
  batchSize: number,
  skip: number,
): AsyncGenerator<Tensor | ActivationPair> {
  const { kernels, options, layout } = parts
  const batchesPerBlock = batchesInBlock(batchSize, options.bufferTokens, layout)
  const buffers = allocate(parts, batchSize, batchesPerBlock)
  const [{ batch: x }, target] = buffers.hooks
  try {
    let first = skip % batchesPerBlock
    for (let block = Math.floor(skip / batchesPerBlock); ; block++) {
      fillBlock(parts, buffers, block)
      for (let i = first; i < batchesPerBlock; i++) {
        const ids = kernels.rows(buffers.order, i * batchSize, batchSize)
        for (const { batch, buffer } of buffers.hooks) kernels.gatherRows(batch, buffer, ids)
        yield target ? { x, y: target.batch } : x
      }
      first = 0
    }
  } finally {
    release(parts, buffers)
  }
}

function batchesInBlock(batchSize: number, bufferTokens: number, layout: RowLayout): number {
  if (bufferTokens < batchSize)
    throw new MonosemError(
      'config',
      `activations: expected a buffer of at least one batch of ${batchSize}, got ${bufferTokens}`,
      {
        hint: 'raise --buffer-tokens or lower --batch-size',
      },
    )
  return Math.max(1, Math.floor(Math.min(bufferTokens, layout.epochRows) / batchSize))
}

function allocate(
  { kernels, model, options, layout }: Parts,
  batchSize: number,
  batchesPerBlock: number,
): Buffers {
  const { dtype, modelBatch, hookName, targetHookName = hookName } = options
  const rows = batchSize * batchesPerBlock
  const names = [...new Set([hookName, targetHookName])]
  return {
    workspace: createWorkspace(model, modelBatch, layout.contextSize, { keep: names }),
    ids: kernels.zeros([modelBatch * layout.contextSize], 'i32'),
    hooks: names.map((name) => {
      const d = hookWidth(model.config, name)
      return {
        hookName: name,
        buffer: kernels.zeros([rows, d], dtype),
        batch: kernels.zeros([batchSize, d]),
      }
    }),
    lastHook: lastHook(model.config, names),
    order: kernels.zeros([rows], 'i32'),
    tokens: undefined,
  }
}

function release({ kernels, model }: Parts, { workspace, ids, order, hooks }: Buffers): void {
  freeWorkspace(model, workspace)
  for (const tensor of [ids, order, ...hooks.flatMap(({ buffer, batch }) => [buffer, batch])])
    kernels.free(tensor)
}

/** Enqueues the forward passes of one block, and writes the order in which its rows are given out. */
function fillBlock(
  { kernels, model, corpus, layout, options }: Parts,
  buffers: Buffers,
  block: number,
): void {
  const { modelBatch, seed } = options
  const [rows] = buffers.order.shape
  const windows = layout.windowsFrom(block * rows)
  const group = new Int32Array(modelBatch)
  for (let filled = 0; filled < rows; ) {
    let skipRows = 0
    for (let i = 0; i < modelBatch; i++) {
      const { value } = windows.next()
      group[i] = value.window
      skipRows += value.skipRows
    }
    buffers.tokens = fillWindows(corpus.train, layout.contextSize, group, buffers.tokens)
    const kept = keptPositions(buffers.tokens.tokens, corpus.tokenizer.startOfText)
    const positions = kept.subarray(skipRows, skipRows + rows - filled)
    forward(model, buffers.workspace, buffers.tokens, { stopAfter: buffers.lastHook })
    const ids = kernels.rows(buffers.ids, 0, positions.length)
    kernels.write(ids, positions)
    for (const { hookName, buffer } of buffers.hooks) {
      const target = kernels.rows(buffer, filled, positions.length)
      kernels.gatherRows(target, buffers.workspace.activations[hookName], ids)
    }
    filled += positions.length
  }
  kernels.write(buffers.order, orderOf(seed, block, rows))
}

/** The row of the block that is given out n-th, for every n. */
function orderOf(seed: number, block: number, rows: number): Int32Array {
  const order = Int32Array.from({ length: rows }, (_, i) => i)
  return Random.named(seed, `activations of block ${block}`).shuffle(order)
}

/** Positions that hold anything but <|endoftext|>. */
function keptPositions(tokens: ArrayLike<number>, startOfText: number): Int32Array {
  const kept = new Int32Array(tokens.length)
  let count = 0
  for (let n = 0; n < tokens.length; n++) if (tokens[n] !== startOfText) kept[count++] = n
  return kept.subarray(0, count)
}

/** The document and the token that a row of a batch comes from, in words. */
function locateRow(
  { corpus, layout, options }: Parts,
  { batch, row, batchSize }: { batch: number; row: number; batchSize: number },
): string {
  const { train, tokenizer } = corpus
  const batchesPerBlock = batchesInBlock(batchSize, options.bufferTokens, layout)
  const rows = batchSize * batchesPerBlock
  const block = Math.floor(batch / batchesPerBlock)
  const inBlock = orderOf(options.seed, block, rows)[(batch % batchesPerBlock) * batchSize + row]
  const { window, skipRows } = layout.windowsFrom(block * rows + inBlock).next().value
  const first = window * layout.contextSize
  const tokens = train.tokens.subarray(first, first + layout.contextSize)
  const token = first + keptPositions(tokens, tokenizer.startOfText)[skipRows]
  const { document, offset } = locate(train, token)
  return `token ${offset} of document ${document}, ${train.name} split`
}
