import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import { MonosemError } from '../errors/monosem-error.js'
import { openSafetensors, type TensorReader } from '../formats/safetensors.js'
import { openStage } from '../storage/open-stage.js'
import { STORE_FILE, type StoreInfo, shardFile, shardTensors, storeInfoSchema } from './store-info.js'

/** Activations on disk, as the `activations` stage wrote them. */
export interface ActivationStore {
  directory: string
  info: StoreInfo
  /**
   * Width of the activations of a hook point.
   * @throws MonosemError config: names those that are stored
   */
  width(hookName: string): number
  /**
   * Opens a file; `shardTensors` names what it holds. Its hash is checked the first time, so that a large store opens at once; on several ranks
   * by one of them, since all read the same file and an error ends them all.
   * @throws MonosemError config (no such hook point), corrupt, format, io
   */
  openShard(hookName: string, shard: number): Promise<TensorReader>
}

/**
 * Opens a finished directory of activations. That every file is there with its size is checked now, its hash when it is first read.
 * @param ranks will all open the same shards (default: this process alone)
 * @throws MonosemError missing, corrupt, format
 */
export async function openActivations(
  directory: string,
  ranks: Pick<Communicator, 'rank' | 'size'> = singleRank,
): Promise<ActivationStore> {
  const stage = await openStage(directory, 'activations')
  const info = await readInfo(await stage.file(STORE_FILE))
  for (const { name } of info.hooks)
    for (const shard of info.shardRows.keys()) {
      const path = join(stage.directory, shardFile(name, shard))
      const expected = stage.manifest.files[shardFile(name, shard)]?.bytes
      const size = await stat(path).then(
        ({ size }) => size,
        () => 'no such file',
      )
      if (size !== expected)
        throw new MonosemError('corrupt', `${path}: expected ${expected} bytes, got ${size}`, {
          hint: `copy it again, or remove ${stage.directory} and harvest again`,
        })
    }
  const width = (hookName: string): number => {
    const hook = info.hooks.find(({ name }) => name === hookName)
    if (hook) return hook.width
    throw new MonosemError('config', `${stage.directory} holds no activations of ${hookName}`, {
      hint: `it holds those of ${info.hooks.map(({ name }) => name).join(', ')}; pass one of them as --hook-name, or harvest again`,
    })
  }
  return {
    directory: stage.directory,
    info,
    width,
    async openShard(hookName, shard) {
      const shape = [info.shardRows[shard], width(hookName)]
      const name = shardFile(hookName, shard)
      const path = shard % ranks.size === ranks.rank ? await stage.file(name) : join(stage.directory, name)
      const reader = await openSafetensors(path)
      const entry = reader.entries.get(shardTensors.activations)
      if (String(entry?.shape) === String(shape)) return reader
      await reader.close()
      throw new MonosemError(
        'format',
        `${reader.path}: expected ${shardTensors.activations} [${shape}], got [${entry?.shape}]`,
      )
    },
  }
}

async function readInfo(path: string): Promise<StoreInfo> {
  try {
    return storeInfoSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    throw new MonosemError('format', `${path}: expected the description of stored activations`, {
      cause,
      hint: 'was it made by another version?',
    })
  }
}
