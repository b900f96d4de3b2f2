import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { elementCount } from '../formats/element-count.js'
import { openSafetensors, type SafeTensor, type TensorReader } from '../formats/safetensors.js'
import { createSafetensorsWriter, type PlannedTensor } from '../formats/safetensors-writer.js'
import { toBf16 } from '../kernels/bf16.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { Progress } from '../progress/progress.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { openStage } from '../storage/open-stage.js'
import type { PlannedWeight } from './huggingface/find-weights.js'
import { loadWeights } from './huggingface/load.js'
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

/**
 * Writes `model.json` and `model.safetensors` into a directory, in the types that the parameters have. @throws MonosemError io
 */
export async function saveTransformer(model: Transformer, directory: string): Promise<void> {
  await saveParameters(model, join(directory, 'model.safetensors'))
  const { name, config } = model
  await writeFileAtomic(
    join(directory, 'model.json'),
    `${JSON.stringify({ ...(name !== undefined && { name }), ...config }, null, 2)}\n`,
  )
}

/** Numbers that are read back from the kernels at once: 4 MiB. */
const savedAtOnce = 1 << 20

async function saveParameters({ kernels, params }: Transformer, path: string): Promise<void> {
  const planned = Object.entries(params).map(([name, { dtype, shape }]): [string, PlannedTensor] => [
    name,
    { dtype: dtype === 'bf16' ? 'BF16' : 'F32', shape },
  ])
  const writer = await createSafetensorsWriter(path, Object.fromEntries(planned))
  try {
    for (const [name, tensor] of Object.entries(params)) {
      const [rows, width = 1] = tensor.shape
      const step = Math.max(1, Math.floor(savedAtOnce / width))
      for (let first = 0; first < rows; first += step) {
        const some = kernels.rows(tensor, first, Math.min(step, rows - first))
        const values = await kernels.readF32(some)
        // What was bf16 is exactly the upper half of its f32.
        const data = tensor.dtype === 'bf16' ? Uint16Array.from(values, toBf16) : values
        await writer.write(name, data, first * width)
      }
    }
    await writer.finish()
  } finally {
    await writer.discard()
  }
}

export interface LoadTransformerOptions {
  /** type in which matrices are kept. Default: that in which they are stored */
  weights?: 'f32' | 'bf16'
  progress?: Progress
  signal?: AbortSignal
}

/**
 * Loads the model of a finished model directory, after checking its files against the manifest.
 * @throws MonosemError missing, corrupt, format, shape, interrupted
 */
export async function loadTransformer(
  kernels: Kernels,
  directory: string,
  { weights, ...context }: LoadTransformerOptions = {},
): Promise<Transformer> {
  const stage = await openStage(directory, 'model')
  const { name, config } = await readTransformerConfig(await stage.file('model.json'))
  const file = await openSafetensors(await stage.file('model.safetensors'))
  try {
    const planned = Object.entries(parameterSpecs(config)).map(([name, { shape }]) =>
      storedWeight(file, name, shape),
    )
    const stored = planned.some(({ name }) => file.entries.get(name)?.dtype === 'BF16') ? 'bf16' : 'f32'
    const params = await loadWeights(kernels, file, planned, weights ?? stored, context)
    return { kernels, config, params, ...(name !== undefined && { name }) }
  } finally {
    await file.close()
  }
}

/** A parameter that is stored as it is, under its own name. */
function storedWeight(
  { entries, path }: TensorReader,
  name: string,
  shape: readonly number[],
): PlannedWeight {
  const found = entries.get(name)
  if (!found) throw new MonosemError('missing', `${path}: expected a tensor ${name}, there is none`)
  if (String(found.shape) !== String(shape) || !['F32', 'BF16'].includes(found.dtype))
    throw new MonosemError(
      'shape',
      `${path}: expected ${name} as floats [${shape.join(', ')}], got ${found.dtype} [${found.shape.join(', ')}]`,
    )
  const count = elementCount(shape)
  return { name, shape, count, tensor: name, source: { tensors: [name], shape } }
}

/** Configuration, and name where it has one, of a model.json. @throws MonosemError format, io */
export async function readTransformerConfig(
  path: string,
): Promise<{ name: string | undefined; config: TransformerConfig }> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  try {
    const value = JSON.parse(text)
    return {
      name: typeof value.name === 'string' ? value.name : undefined,
      config: transformerConfig(value, path),
    }
  } catch (cause) {
    throw new MonosemError('format', `${path}: expected the configuration of a transformer as JSON`, {
      cause,
      hint: 'was the model made by another version?',
    })
  }
}
