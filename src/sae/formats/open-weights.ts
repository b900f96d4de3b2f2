import { extname } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import { type FileTensor, float32Of } from '../../formats/file-tensor.js'
import { readNpz } from '../../formats/npz.js'
import { openSafetensors, type TensorReader } from '../../formats/safetensors.js'
import { indexEnding, openShards } from '../../formats/safetensors-index.js'
import { readTorchFile } from '../../formats/torch-file.js'
import { isTensor, type TorchValue } from '../../formats/torch-values.js'
import type { WeightFile } from './weight-reader.js'

/** Endings of files that can hold weights. */
export const weightExtensions = ['.safetensors', '.npz', '.pt', '.pth']

/**
 * Opens a file of weights by its ending: safetensors, the index of its shards, npz, or a PyTorch file (of which nothing is ever executed).
 * @throws MonosemError missing (the file, or a shard or tensor of the index), io, format, corrupt
 */
export async function openWeights(path: string): Promise<WeightFile> {
  if (path.endsWith(indexEnding)) {
    const reader = await openShards(path)
    return safetensorsWeights(reader, [path, ...reader.shards])
  }
  switch (extname(path)) {
    case '.safetensors':
      return safetensorsWeights(await openSafetensors(path), [path])
    case '.npz':
      return weightsInMemory(path, 'npz', new Map(Object.entries(await readNpz(path))), {})
    case '.pt':
    case '.pth':
      return openTorchWeights(path)
    default:
      throw new MonosemError('format', `${path}: expected a file that ends in ${weightExtensions.join(', ')}`)
  }
}

function safetensorsWeights(reader: TensorReader, files: readonly string[]): WeightFile {
  return {
    path: reader.path,
    files,
    container: 'safetensors',
    entries: reader.entries,
    values: {},
    async read(name) {
      const { data } = await reader.read(name)
      return data instanceof Float32Array ? data : Float32Array.from(data)
    },
    close: reader.close,
  }
}

async function openTorchWeights(path: string): Promise<WeightFile> {
  const content = await readTorchFile(path)
  if (!(content instanceof Map))
    throw new MonosemError('format', `${path}: expected a dictionary of tensors, got something else`, {
      hint: 'save the state_dict() of the autoencoder',
    })
  const tensors = new Map<string, FileTensor>()
  const values: Record<string, unknown> = {}
  for (const [key, value] of content)
    if (isTensor(value)) tensors.set(String(key), value)
    else values[String(key)] = plainValue(value)
  return weightsInMemory(path, 'pt', tensors, values)
}

/** Dictionaries as objects, tensors of one number as that number. */
function plainValue(value: TorchValue): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), plainValue(item)]))
  return isTensor(value) && value.data.length === 1 ? Number(value.data[0]) : value
}

/** Tensors can share memory, as tied weights do: each that is taken is a copy, and what was taken is let go. */
function weightsInMemory(
  path: string,
  container: WeightFile['container'],
  tensors: Map<string, FileTensor>,
  values: Record<string, unknown>,
): WeightFile {
  const entries = new Map([...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape }]))
  return {
    path,
    files: [path],
    container,
    entries,
    values,
    async read(name) {
      const tensor = tensors.get(name) as FileTensor
      tensors.delete(name)
      return tensor.data.length === 1
        ? Float32Array.of(Number(tensor.data[0]))
        : Float32Array.from(float32Of(`${path}: ${name}`, tensor))
    },
    async close() {
      tensors.clear()
    },
  }
}
