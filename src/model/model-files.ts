import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { readSafetensors, type SafeTensor, writeSafetensors } from '../formats/safetensors.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { openStage } from '../storage/stage.js'
import { parameterSpecs, type Transformer, type TransformerConfig, transformerConfig } from './transformer.js'

/**
 * Reads named tensors back from the kernels. Names are kept, with a prefix in front.
 * @throws MonosemError native (a kernel failed)
 */
export async function readTensors(
  kernels: Kernels,
  tensors: Record<string, Tensor>,
  prefix = '',
): Promise<Record<string, SafeTensor>> {
  const result: Record<string, SafeTensor> = {}
  for (const [name, tensor] of Object.entries(tensors))
    result[prefix + name] = { shape: [...tensor.shape], data: await kernels.readF32(tensor) }
  return result
}

/**
 * Copies stored tensors into the kernels' tensors of the same names (after the prefix).
 * @param source what the error calls the file
 * @throws MonosemError missing, shape
 */
export function writeTensors(
  kernels: Kernels,
  tensors: Record<string, Tensor>,
  stored: Record<string, SafeTensor>,
  source: string,
  prefix = '',
): void {
  for (const [name, tensor] of Object.entries(tensors))
    kernels.write(tensor, requireTensor(stored, prefix + name, tensor.shape, source))
}

function requireTensor(
  stored: Record<string, SafeTensor>,
  name: string,
  shape: readonly number[],
  source: string,
): Float32Array {
  const found = stored[name]
  if (!found) throw new MonosemError('missing', `${source}: expected a tensor ${name}, there is none`)
  if (String(found.shape) === String(shape) && found.data instanceof Float32Array) return found.data
  const got = `${found.data.constructor.name} [${found.shape.join(', ')}]`
  throw new MonosemError('shape', `${source}: expected ${name} as floats [${shape.join(', ')}], got ${got}`)
}

/** Writes `model.json` and `model.safetensors` into a directory. @throws MonosemError io */
export async function saveTransformer(model: Transformer, directory: string): Promise<void> {
  await writeSafetensors(join(directory, 'model.safetensors'), await readTensors(model.kernels, model.params))
  await writeFileAtomic(join(directory, 'model.json'), `${JSON.stringify(model.config, null, 2)}\n`)
}

/**
 * Loads the model of a finished model directory, after checking its files against the manifest.
 * @throws MonosemError missing, corrupt, format, shape
 */
export async function loadTransformer(kernels: Kernels, directory: string): Promise<Transformer> {
  const stage = await openStage(directory, 'model')
  const config = await readTransformerConfig(await stage.file('model.json'))
  const path = await stage.file('model.safetensors')
  const { tensors } = await readSafetensors(path)
  const params: Record<string, Tensor> = {}
  for (const [name, { shape }] of Object.entries(parameterSpecs(config)))
    params[name] = kernels.tensor(requireTensor(tensors, name, shape, path), shape)
  return { kernels, config, params }
}

export async function readTransformerConfig(path: string): Promise<TransformerConfig> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  try {
    return transformerConfig(JSON.parse(text), path)
  } catch (cause) {
    throw new MonosemError('format', `${path}: expected the configuration of a transformer as JSON`, {
      cause,
      hint: 'was the model made by another version?',
    })
  }
}
