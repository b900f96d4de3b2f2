import type { TokenCorpus } from '../corpus/corpus.js'
import { fillWindows, type WindowBatch } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import {
  createWorkspace,
  forward,
  freeWorkspace,
  hookWidth,
  type Transformer,
  type Workspace,
} from '../model/transformer.js'
import { Random } from '../random/random.js'
import type { ActivationSource } from '../sae/activation-source.js'
import { createRowLayout, type RowLayout } from './row-layout.js'

export interface LiveSourceOptions {
  /** hook point whose activations are given, one vector per token, e.g. "blocks.0.mlp.hook_post" */
  hookName: string
  seed: number
  /** size of the shuffle buffer in activations */
  bufferTokens: number
  /** number format of the buffer; batches are always f32 */
  dtype: 'f32' | 'bf16'
  /** sequences per forward pass */
  modelBatch: number
}

/** The buffers that one iteration over the source owns. */
interface Buffers {
  workspace: Workspace
  /** [modelBatch * T] i32 */
  ids: Tensor
  /** [block rows, D] */
  buffer: Tensor
  /** [block rows] i32: a permutation of the rows */
  order: Tensor
  /** [batchSize, D] f32 */
  batch: Tensor
  tokens: WindowBatch | undefined
}

/**
 * Activations of a model as it runs over the training tokens. The rows (see `RowLayout`) are cut into blocks of `bufferTokens`; each
 * block is computed into the buffer, shuffled whole, and given out in batches. A block depends on its number only: to
 * skip batches, the blocks before are not computed.
 * A buffer larger than an epoch is cut down to one; blocks are whole batches.
 * @throws MonosemError config (no such hook point; no text; buffer smaller than a batch)
 */
export function createLiveSource(
  kernels: Kernels,
  model: Transformer,
  corpus: TokenCorpus,
  options: LiveSourceOptions,
): ActivationSource {
  const d = hookWidth(model.config, options.hookName)
  const { endOfText } = corpus.tokenizer
  const layout = createRowLayout(corpus.train, model.config.context, endOfText, options.seed)
  return {
    d,
    metadata: {
      model_name: 'monosem',
      hook_name: options.hookName,
      context_size: model.config.context,
      prepend_bos: false,
    },
    async *batches({ batchSize, skip }) {
      const batchesPerBlock = batchesInBlock(batchSize, options.bufferTokens, layout)
      const buffers = allocate(kernels, model, d, batchSize, batchesPerBlock, options)
      try {
        let first = skip % batchesPerBlock
        for (let block = Math.floor(skip / batchesPerBlock); ; block++) {
          fillBlock(kernels, model, corpus, layout, buffers, block, options)
          for (let i = first; i < batchesPerBlock; i++) {
            const ids = kernels.rows(buffers.order, i * batchSize, batchSize)
            kernels.gatherRows(buffers.batch, buffers.buffer, ids)
            yield buffers.batch
          }
          first = 0
        }
      } finally {
        release(kernels, model, buffers)
      }
    },
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
  kernels: Kernels,
  model: Transformer,
  d: number,
  batchSize: number,
  batchesPerBlock: number,
  { dtype, modelBatch }: LiveSourceOptions,
): Buffers {
  const rows = batchSize * batchesPerBlock
  return {
    workspace: createWorkspace(model, modelBatch, model.config.context),
    ids: kernels.zeros([modelBatch * model.config.context], 'i32'),
    buffer: kernels.zeros([rows, d], dtype),
    order: kernels.zeros([rows], 'i32'),
    batch: kernels.zeros([batchSize, d]),
    tokens: undefined,
  }
}

function release(kernels: Kernels, model: Transformer, buffers: Buffers): void {
  freeWorkspace(model, buffers.workspace)
  for (const tensor of [buffers.ids, buffers.buffer, buffers.order, buffers.batch]) kernels.free(tensor)
}

/** Enqueues the forward passes of one block, and writes the order in which its rows are given out. */
function fillBlock(
  kernels: Kernels,
  model: Transformer,
  corpus: TokenCorpus,
  layout: RowLayout,
  buffers: Buffers,
  block: number,
  { hookName, modelBatch, seed }: LiveSourceOptions,
): void {
  const rows = buffers.buffer.shape[0]
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
    const kept = keptPositions(buffers.tokens.tokens, corpus.tokenizer.endOfText)
    const positions = kept.subarray(skipRows, skipRows + rows - filled)
    forward(model, buffers.workspace, buffers.tokens, { stopAfter: hookName })
    const ids = kernels.rows(buffers.ids, 0, positions.length)
    kernels.write(ids, positions)
    const target = kernels.rows(buffers.buffer, filled, positions.length)
    kernels.gatherRows(target, buffers.workspace.activations[hookName], ids)
    filled += positions.length
  }
  const order = Int32Array.from({ length: rows }, (_, i) => i)
  kernels.write(buffers.order, Random.named(seed, `activations of block ${block}`).shuffle(order))
}

/** Positions that hold anything but <|endoftext|>. */
function keptPositions(tokens: Int32Array, endOfText: number): Int32Array {
  const kept = new Int32Array(tokens.length)
  let count = 0
  for (let n = 0; n < tokens.length; n++) if (tokens[n] !== endOfText) kept[count++] = n
  return kept.subarray(0, count)
}
