import type { TensorReader } from '../formats/safetensors.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { ActivationStore } from './activation-store.js'
import { bytesPerValue, shardTensors } from './store-info.js'
import type { Block, Piece } from './store-order.js'

/** Reads blocks of a store from the disk into tensors. */
export interface BlockReader {
  /**
   * Reads the pieces of a block one after the other; resolves when all of it is on its way into the tensors.
   * @param target for a hook point, tensor [at least the block's rows, D]
   * @throws MonosemError corrupt, format, io
   */
  read(block: Block, target: (hookName: string) => Tensor): Promise<void>
  /** Stops what is being read, and closes the files. */
  close(): Promise<void>
}

/** Bytes that are read at a time: large enough for any disk, small against a block. */
const readBytes = 8 * 2 ** 20

export function createBlockReader(
  kernels: Kernels,
  store: ActivationStore,
  hookNames: readonly string[],
): BlockReader {
  const readers = new Map<string, TensorReader>()
  let closed = false
  let reading: Promise<void> = Promise.resolve()
  const readPiece = async (
    hookName: string,
    { shard, first, count }: Piece,
    target: Tensor,
  ): Promise<void> => {
    const key = `${hookName} ${shard}`
    const reader = readers.get(key) ?? (await store.openShard(hookName, shard))
    readers.set(key, reader)
    const rows = Math.ceil(readBytes / (store.width(hookName) * bytesPerValue[store.info.dtype]))
    for (let at = 0; at < count && !closed; at += rows) {
      const part = Math.min(rows, count - at)
      const { data } = await reader.readRows(shardTensors.activations, first + at, part)
      if (!closed) kernels.write(kernels.rows(target, at, part), data as Float32Array)
    }
    if (first + count < store.info.shardRows[shard]) return
    readers.delete(key)
    await reader.close()
  }
  const readBlock = async (block: Block, target: (hookName: string) => Tensor): Promise<void> => {
    let row = 0
    for (const piece of block.pieces) {
      for (const hookName of hookNames)
        if (!closed) await readPiece(hookName, piece, kernels.rows(target(hookName), row, piece.count))
      row += piece.count
    }
  }
  return {
    read(block, target) {
      reading = readBlock(block, target)
      return reading
    },
    async close() {
      closed = true
      await reading.catch(() => {})
      for (const reader of readers.values()) await reader.close()
    },
  }
}
