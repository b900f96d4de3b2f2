import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { ActivationPair, ActivationSource } from '../sae/activation-source.js'
import type { ActivationStore } from './activation-store.js'
import { createBlockReader } from './block-reader.js'
import { requireRoomForBatch } from './buffer-size.js'
import { sourceMetadata } from './source-metadata.js'
import { shardFile, shardTensors } from './store-info.js'
import { type Block, createStoreOrder, type StoreOrder } from './store-order.js'

export interface StoredSourceOptions {
  /** hook point whose activations are given */
  hookName: string
  /** hook point of the same tokens that a transcoder reconstructs; the source then gives pairs. Default: hookName, no pairs */
  targetHookName?: string
  seed: number
  /** size of the shuffle buffer in activations: one half is given out while the other is read */
  bufferTokens: number
  /** number format of the buffer for a store of f32; one of bf16 stays bf16. Batches are always f32 */
  dtype: 'f32' | 'bf16'
  /** shards that are read side by side. Default: 8 */
  shardsAtOnce?: number
}

/** One half of the shuffle buffer. */
interface Half {
  /** by hook point: [rows of the largest block, D] */
  buffers: Map<string, Tensor>
  /** [rows of the largest block] i32: the block's rows in the order in which they are given out */
  order: Tensor
}

/** A block that is being given out. */
interface Loaded {
  half: Half
  rows: number
  /** rows that were given out, or skipped */
  given: number
}

/** What the source is made of. */
interface Parts {
  kernels: Kernels
  store: ActivationStore
  order: StoreOrder
  /** inputs, then targets where there are any */
  hookNames: string[]
  options: StoredSourceOptions
}

/**
 * Activations that were harvested, in a new order every epoch (see `StoreOrder`). Blocks of half the buffer are shuffled whole; the
 * next one is read while one is given out. Every row comes exactly once in an epoch. To skip batches, nothing before them is read.
 * @throws MonosemError config (a hook point that is not stored)
 */
export function createStoredSource(
  kernels: Kernels,
  store: ActivationStore,
  options: StoredSourceOptions,
): ActivationSource {
  const { hookName, targetHookName = hookName, seed, bufferTokens, shardsAtOnce = 8 } = options
  const blockRows = Math.ceil(bufferTokens / 2)
  const order = createStoreOrder(store.info.shardRows, { seed, blockRows, shardsAtOnce })
  const hookNames = [...new Set([hookName, targetHookName])]
  const dOut = store.width(targetHookName)
  const parts: Parts = { kernels, store, order, hookNames, options }
  return {
    d: store.width(hookName),
    ...(hookNames.length > 1 && { dOut }),
    metadata: sourceMetadata({ ...store.info, hookName, targetHookName }),
    batches: ({ batchSize, skip }) => batchesOf(parts, batchSize, skip),
    locate: ({ batch, row, batchSize }) => locateRow(parts, batch * batchSize + row),
  }
}

async function* batchesOf(
  parts: Parts,
  batchSize: number,
  skip: number,
): AsyncGenerator<Tensor | ActivationPair> {
  const { kernels, store, order, hookNames, options } = parts
  requireRoomForBatch(options.bufferTokens, batchSize)
  const blocks = order.blocksFrom(skip * batchSize)
  const reader = createBlockReader(kernels, store, hookNames)
  const halves = [allocateHalf(parts), allocateHalf(parts)]
  const batches = hookNames.map((name) => kernels.zeros([batchSize, store.width(name)]))
  /** Reads the next block into a half of which all rows were given out. */
  const load = (half: Half): Promise<Loaded> => {
    const { block, skipRows } = blocks.next().value
    const loading = reader
      .read(block, (name) => half.buffers.get(name) as Tensor)
      .then(() => {
        kernels.write(kernels.rows(half.order, 0, block.rows), block.order())
        return { half, rows: block.rows, given: skipRows }
      })
    // an error is thrown where the block is needed
    loading.catch(() => {})
    return loading
  }
  try {
    let current = await load(halves[0])
    let next = load(halves[1])
    for (;;) {
      for (let filled = 0; filled < batchSize; ) {
        if (current.given === current.rows) {
          const { half } = current
          current = await next
          next = load(half)
        }
        filled += giveRows(parts, current, batches, filled)
      }
      const [x, y] = batches
      yield y ? { x, y } : x
    }
  } finally {
    await reader.close()
    const owned = halves.flatMap(({ buffers, order }) => [...buffers.values(), order])
    for (const tensor of [...owned, ...batches]) kernels.free(tensor)
  }
}

function allocateHalf({ kernels, store, order, hookNames, options }: Parts): Half {
  const rows = order.largestBlock
  const dtype = store.info.dtype === 'bf16' ? 'bf16' : options.dtype
  return {
    buffers: new Map(hookNames.map((name) => [name, kernels.zeros([rows, store.width(name)], dtype)])),
    order: kernels.zeros([rows], 'i32'),
  }
}

/** Copies the next rows of a block into the batches from row `filled` on; returns how many there were. */
function giveRows({ kernels, hookNames }: Parts, block: Loaded, batches: Tensor[], filled: number): number {
  const count = Math.min(batches[0].shape[0] - filled, block.rows - block.given)
  const ids = kernels.rows(block.half.order, block.given, count)
  for (const [i, name] of hookNames.entries())
    kernels.gatherRows(kernels.rows(batches[i], filled, count), block.half.buffers.get(name) as Tensor, ids)
  block.given += count
  return count
}

/** The shard and the row of it that stand at a position of the endless stream, and what they belong to, in words. */
async function locateRow({ store, order, hookNames }: Parts, position: number): Promise<string> {
  const { block, skipRows } = order.blocksFrom(position).next().value
  const { shard, row } = placeOf(block, block.order()[skipRows])
  const reader = await store.openShard(hookNames[0], shard)
  try {
    const idOf = async (name: string): Promise<number> => (await reader.readRows(name, row, 1)).data[0]
    const [document, at] = [await idOf(shardTensors.documentIds), await idOf(shardTensors.positions)]
    return `row ${row} of ${shardFile(hookNames[0], shard)}: position ${at} of a window, in document ${document}`
  } finally {
    await reader.close()
  }
}

function placeOf({ pieces }: Block, row: number): { shard: number; row: number } {
  let before = 0
  for (const { shard, first, count } of pieces) {
    if (row < before + count) return { shard, row: first + row - before }
    before += count
  }
  throw new MonosemError('shape', `activations: expected a row below ${before}, got ${row}`)
}
