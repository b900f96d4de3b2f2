import { join } from 'node:path'
import { writeFileAtomic } from '../storage/atomic-file.js'
import type { FileEntry } from '../storage/stage.js'
import { elementCount } from './element-count.js'
import { bytesPerElement } from './safetensors.js'
import { indexEnding } from './safetensors-index.js'
import { createSafetensorsWriter, type PlannedTensor, type SafetensorsWriter } from './safetensors-writer.js'

/** Bytes of tensors beyond which weights are several files, as Hugging Face's libraries cut them. */
const defaultShardBytes = 5e9

/** Weights on their way to the disk, in one file or in several; tensors are written in pieces and in any order. */
export interface ShardsWriter extends Pick<SafetensorsWriter, 'write' | 'discard'> {
  /**
   * Gives all files their names, the index last.
   * @returns what a manifest says of those that were written in the order of the file, by name
   * @throws MonosemError shape (a tensor has not got all its elements), io
   */
  finish(): Promise<Map<string, FileEntry>>
}

/**
 * Starts `<stem>.safetensors`, or, where the tensors are larger than `shardBytes` together, `<stem>-00001-of-0000N.safetensors`, ... with
 * `<stem>.safetensors.index.json` in the layout of Hugging Face: the bytes of all tensors, and the shard of each. Tensors stay whole: one that is
 * larger than `shardBytes` has a shard of its own.
 * @throws MonosemError io
 */
export async function createShardsWriter(
  directory: string,
  stem: string,
  tensors: Record<string, PlannedTensor>,
  shardBytes = defaultShardBytes,
): Promise<ShardsWriter> {
  const shards = shardsOf(tensors, shardBytes)
  const files = shards.map((_, i) =>
    shards.length === 1
      ? `${stem}.safetensors`
      : `${stem}-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`,
  )
  const writers: SafetensorsWriter[] = []
  const places = new Map<string, number>()
  const discard = async () => {
    for (const writer of writers) await writer.discard()
  }
  try {
    for (const [i, shard] of shards.entries()) {
      writers.push(await createSafetensorsWriter(join(directory, files[i]), shard))
      for (const name of Object.keys(shard)) places.set(name, i)
    }
  } catch (cause) {
    await discard()
    throw cause
  }
  return {
    // a tensor that was not announced is refused by any of them
    write: (name, data, first) => writers[places.get(name) ?? 0].write(name, data, first),
    async finish() {
      const entries = new Map<string, FileEntry>()
      for (const [i, writer] of writers.entries()) {
        const entry = await writer.finish()
        if (entry) entries.set(files[i], entry)
      }
      if (files.length > 1) {
        const weightMap = [...places].map(([name, i]) => [name, files[i]])
        const index = {
          metadata: { total_size: totalBytes(tensors) },
          weight_map: Object.fromEntries(weightMap.sort(([a], [b]) => (a < b ? -1 : 1))),
        }
        await writeFileAtomic(join(directory, `${stem}${indexEnding}`), `${JSON.stringify(index, null, 2)}\n`)
      }
      return entries
    },
    discard,
  }
}

const digits = (n: number): string => String(n).padStart(5, '0')

const bytesOf = ({ dtype, shape }: PlannedTensor): number => elementCount(shape) * bytesPerElement[dtype]

const totalBytes = (tensors: Record<string, PlannedTensor>): number =>
  Object.values(tensors).reduce((sum, tensor) => sum + bytesOf(tensor), 0)

/** Fills one shard after the other in the order of the tensors. */
function shardsOf(
  tensors: Record<string, PlannedTensor>,
  shardBytes: number,
): Record<string, PlannedTensor>[] {
  const shards: Record<string, PlannedTensor>[] = []
  let [open, room]: [Record<string, PlannedTensor> | null, number] = [null, 0]
  for (const [name, tensor] of Object.entries(tensors)) {
    const bytes = bytesOf(tensor)
    if (bytes > shardBytes) shards.push({ [name]: tensor })
    else {
      if (open === null || bytes > room) {
        open = {}
        room = shardBytes
        shards.push(open)
      }
      open[name] = tensor
      room -= bytes
    }
  }
  return shards
}
