import type { TokenCorpus } from '../corpus/corpus.js'
import { locate } from '../corpus/windows.js'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import { hookWidth, type Transformer } from '../model/transformer.js'
import { Random } from '../random/random.js'
import type { ActivationPair, ActivationSource } from '../sae/activation-source.js'
import { type ActivationPass, createActivationPass } from './activation-pass.js'
import { requireRoomForBatch } from './buffer-size.js'
import { enqueuePasses, planPasses, sharePasses } from './fill-block.js'
import { createRowLayout, type RowLayout, rowPositions } from './row-layout.js'
import { sourceMetadata } from './source-metadata.js'

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
  /** share the forward passes; all of them take the same batches at the same time, and get the same bits as one alone. Default: this process alone */
  ranks?: Communicator
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
  pass: ActivationPass
  /** inputs, and targets where there are any */
  hooks: HookBuffers[]
  /** [block rows] i32: a permutation of the rows */
  order: Tensor
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
    metadata: sourceMetadata({
      modelName: model.name ?? model.config.family,
      hookName,
      targetHookName,
      contextSize,
      prependBos: false,
    }),
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
  // a group of its own: what it exchanges while somebody waits for a batch cannot be taken for what others exchange meanwhile
  const ranks = await (options.ranks ?? singleRank).split(0)
  const batchesPerBlock = batchesInBlock(batchSize, options.bufferTokens, layout)
  const buffers = allocate(parts, batchSize, batchesPerBlock)
  const [{ batch: x }, target] = buffers.hooks
  try {
    let first = skip % batchesPerBlock
    for (let block = Math.floor(skip / batchesPerBlock); ; block++) {
      await fillBlock(parts, buffers, block, ranks)
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
  requireRoomForBatch(bufferTokens, batchSize)
  return Math.max(1, Math.floor(Math.min(bufferTokens, layout.epochRows) / batchSize))
}

function allocate(
  { kernels, model, corpus, layout, options }: Parts,
  batchSize: number,
  batchesPerBlock: number,
): Buffers {
  const { dtype, modelBatch, hookName, targetHookName = hookName } = options
  const rows = batchSize * batchesPerBlock
  const names = [...new Set([hookName, targetHookName])]
  return {
    pass: createActivationPass(model, corpus.train, { hookNames: names, layout, modelBatch }),
    hooks: names.map((name) => {
      const d = hookWidth(model.config, name)
      return {
        hookName: name,
        buffer: kernels.zeros([rows, d], dtype),
        batch: kernels.zeros([batchSize, d]),
      }
    }),
    order: kernels.zeros([rows], 'i32'),
  }
}

function release({ kernels }: Parts, { pass, order, hooks }: Buffers): void {
  pass.free()
  for (const tensor of [order, ...hooks.flatMap(({ buffer, batch }) => [buffer, batch])]) kernels.free(tensor)
}

/** Enqueues the forward passes of one block, its own or those of all ranks, and writes the order in which its rows are given out. */
async function fillBlock(
  { kernels, layout, options }: Parts,
  { pass, order, hooks }: Buffers,
  block: number,
  ranks: Communicator,
): Promise<void> {
  const [rows] = order.shape
  const passes = planPasses(layout, options.modelBatch, { first: block * rows, count: rows })
  const buffers = new Map(hooks.map(({ hookName, buffer }) => [hookName, buffer]))
  if (ranks.size === 1) enqueuePasses({ kernels, pass, buffers }, passes)
  else await sharePasses(ranks, { kernels, pass, buffers }, passes)
  kernels.write(order, orderOf(options.seed, block, rows))
}

/** The row of the block that is given out n-th, for every n. */
function orderOf(seed: number, block: number, rows: number): Int32Array {
  return Random.named(seed, `activations of block ${block}`).permutation(rows)
}

/** The document and the token that a row of a batch comes from, in words. */
function locateRow(
  { corpus, layout, options }: Parts,
  { batch, row, batchSize }: { batch: number; row: number; batchSize: number },
): string {
  const { train } = corpus
  const batchesPerBlock = batchesInBlock(batchSize, options.bufferTokens, layout)
  const rows = batchSize * batchesPerBlock
  const block = Math.floor(batch / batchesPerBlock)
  const inBlock = orderOf(options.seed, block, rows)[(batch % batchesPerBlock) * batchSize + row]
  const { window, skipRows } = layout.windowsFrom(block * rows + inBlock).next().value
  const first = window * layout.contextSize
  const tokens = train.tokens.subarray(first, first + layout.contextSize)
  const token = first + rowPositions(layout, tokens)[skipRows]
  const { document, offset } = locate(train, token)
  return `token ${offset} of document ${document}, ${train.name} split`
}
