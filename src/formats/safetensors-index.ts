import { access } from 'node:fs/promises'
import { dirname, isAbsolute, join, normalize, sep } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { shown } from '../errors/shown.js'
import { readJson } from './json-file.js'
import { openSafetensors, type SafetensorsEntry, type TensorReader } from './safetensors.js'

/** Tensor name to the shard that holds it, a path relative to the index. */
type WeightMap = ReadonlyMap<string, string>

/**
 * Opens the weights of a Hugging Face directory: `model.safetensors`, or the shards that `model.safetensors.index.json` names.
 * `entries` are the tensors of all shards, as the index lists them.
 * @throws MonosemError missing (no such files; a shard, or a tensor of the index, is not there), format, corrupt, io
 */
export async function openCheckpoint(directory: string): Promise<TensorReader> {
  const single = join(directory, 'model.safetensors')
  if (await exists(single)) return openSafetensors(single)
  const index = join(directory, 'model.safetensors.index.json')
  if (await exists(index)) return openShards(index)
  const torch = (await exists(join(directory, 'pytorch_model.bin'))) ? ', only pytorch_model.bin' : ''
  throw new MonosemError(
    'missing',
    `${directory}: expected model.safetensors or model.safetensors.index.json, found neither${torch}`,
    { hint: 'Monosem reads weights from safetensors: save the model again with save_pretrained' },
  )
}

/** Ending of the file that says in which shard each tensor is. */
export const indexEnding = '.safetensors.index.json'

/** The tensors of a file in shards, and the shards that hold them. */
export interface ShardsReader extends TensorReader {
  /** the files beside the index, in its order */
  shards: readonly string[]
}

/**
 * Opens the shards that an index names. `entries` are the tensors of all of them, as the index lists them.
 * @param index path of a file like `model.safetensors.index.json`
 * @throws MonosemError missing (a shard, or a tensor of the index, is not there), format, corrupt, io
 */
export async function openShards(index: string): Promise<ShardsReader> {
  const directory = dirname(index)
  const weightMap = await readIndex(index)
  const shards = new Map<string, TensorReader>()
  const close = async () => {
    for (const shard of shards.values()) await shard.close()
  }
  const entries = new Map<string, SafetensorsEntry>()
  try {
    for (const [name, file] of weightMap) {
      const shard = shards.get(file) ?? (await openShard(directory, index, name, file))
      shards.set(file, shard)
      const entry = shard.entries.get(name)
      if (!entry) throw incomplete(index, name, `${shown(file)}, which has no such tensor`)
      entries.set(name, entry)
    }
  } catch (cause) {
    await close()
    throw cause
  }
  const holder = (name: string): TensorReader => {
    const shard = shards.get(weightMap.get(name) ?? '')
    if (!shard) throw new MonosemError('missing', `${index}: expected a tensor ${name}, there is none`)
    return shard
  }
  return {
    path: index,
    shards: [...shards.values()].map(({ path }) => path),
    entries,
    metadata: Object.assign({}, ...[...shards.values()].map(({ metadata }) => metadata)),
    read: async (name, options) => holder(name).read(name, options),
    readRows: async (name, first, count, options) => holder(name).readRows(name, first, count, options),
    close,
  }
}

/** @param name the tensor for which the shard is opened, for the message */
async function openShard(
  directory: string,
  index: string,
  name: string,
  file: string,
): Promise<TensorReader> {
  const path = normalize(file)
  if (isAbsolute(path) || path === '..' || path.startsWith(`..${sep}`))
    throw new MonosemError(
      'format',
      `${index}: tensor ${shown(name)} is said to be in ${shown(file)}, outside ${directory}`,
      {
        hint: 'shards lie beside their index',
      },
    )
  try {
    return await openSafetensors(join(directory, path))
  } catch (cause) {
    if (cause instanceof MonosemError && cause.code === 'missing')
      throw incomplete(index, name, `${shown(file)}, which is not there`)
    throw cause
  }
}

const incomplete = (index: string, name: string, where: string): MonosemError =>
  new MonosemError('missing', `${index}: tensor ${shown(name)} is said to be in ${where}`, {
    hint: 'the checkpoint is not complete: download or copy it again',
  })

async function readIndex(path: string): Promise<WeightMap> {
  const value = (await readJson(path)) as { weight_map?: unknown } | null
  const weightMap = value?.weight_map
  const files = typeof weightMap === 'object' && weightMap !== null ? Object.entries(weightMap) : []
  if (files.length === 0 || !files.every(([, file]) => isFileName(file)))
    throw new MonosemError(
      'format',
      `${path}: expected "weight_map", an object from tensor names to file names`,
    )
  return new Map(files)
}

/** Longer names than this no file system has, and they would fill messages. */
const isFileName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= 255

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
