import { join } from 'node:path'
import { readJson } from '../../formats/json-file.js'
import type { TensorReader } from '../../formats/safetensors.js'
import { openCheckpoint } from '../../formats/safetensors-index.js'
import type { Kernels, Tensor } from '../../kernels/kernels.js'
import { type Progress, silentProgress, throwIfInterrupted } from '../../progress/progress.js'
import { parameterSpecs, type Transformer } from '../transformer.js'
import type { TransformerConfig } from '../transformer-config.js'
import { readHuggingFaceConfig } from './config.js'
import { findWeights, type PlannedWeight, tiedHeadDiffers, unusedTensors } from './find-weights.js'
import { chunkBuffer, countNonFinite, readWeight } from './read-weight.js'

export interface LoadOptions {
  /** type in which matrices are kept: f32 (default), or bf16 in half the memory. Norms and biases are f32 always */
  weights?: 'f32' | 'bf16'
  progress?: Progress
  signal?: AbortSignal
}

/**
 * Loads a model from a directory in the Hugging Face layout: `config.json` and safetensors (F32, F16 or BF16), in one file or in
 * shards. Weights go into the kernels a MiB at a time, so loading needs about their own size. Weights that are NaN or infinite,
 * and tensors that the model does not have, are noted through `progress`.
 * @throws MonosemError missing (a file or tensor), format (a model that is not computed, or weights that are not floats), shape
 *   (a tensor that does not fit the configuration), corrupt, io, interrupted
 */
export async function loadHuggingFaceModel(
  kernels: Kernels,
  directory: string,
  { weights = 'f32', progress = silentProgress, signal }: LoadOptions = {},
): Promise<Transformer> {
  const path = join(directory, 'config.json')
  const configured = readHuggingFaceConfig(await readJson(path), path)
  const checkpoint = await openCheckpoint(directory)
  try {
    const config = await withStoredHead(configured, checkpoint, progress)
    const found = findWeights(config, checkpoint, parameterSpecs(config))
    const unused = unusedTensors(config, checkpoint, found)
    if (unused.length > 0) progress.note(`${checkpoint.path}: not part of the model: ${shortList(unused)}`)
    const params = await loadWeights(kernels, checkpoint, found, weights, { progress, signal })
    return { kernels, config, params }
  } finally {
    await checkpoint.close()
  }
}

/** Where a head is stored though the configuration ties it to the embeddings, the head counts, unless it is the same. */
async function withStoredHead(
  config: TransformerConfig,
  checkpoint: TensorReader,
  progress: Progress,
): Promise<TransformerConfig> {
  if (!config.tiedEmbeddings || !(await tiedHeadDiffers(config, checkpoint))) return config
  progress.note(
    `${checkpoint.path}: the configuration ties embeddings and head, but both are stored and differ; loaded as they are stored`,
  )
  return { ...config, tiedEmbeddings: false }
}

/**
 * Reads planned weights into tensors of their own, a few MiB at a time. Weights that are NaN or infinite are noted.
 * @param weights type of the matrices
 */
export async function loadWeights(
  kernels: Kernels,
  checkpoint: TensorReader,
  found: readonly PlannedWeight[],
  weights: 'f32' | 'bf16',
  { progress = silentProgress, signal }: Pick<LoadOptions, 'progress' | 'signal'>,
): Promise<Record<string, Tensor>> {
  const total = found.reduce((sum, { count }) => sum + count, 0)
  const task = progress.start('load model', total, 'weights')
  const loaded: Record<string, Tensor> = {}
  const broken: string[] = []
  const buffer = chunkBuffer()
  let done = 0
  try {
    for (const weight of inLoadingOrder(found)) {
      const { name, shape, tensor, count } = weight
      loaded[name] = kernels.zeros(shape, shape.length === 2 ? weights : 'f32')
      let bad = 0
      for await (const data of readWeight(kernels, checkpoint, weight, loaded[name], buffer)) {
        throwIfInterrupted(signal)
        bad += countNonFinite(data)
        done += data.length
        task.update(done)
      }
      if (bad > 0) broken.push(`${tensor} (${bad} of ${count})`)
    }
  } catch (cause) {
    for (const tensor of Object.values(loaded)) kernels.free(tensor)
    throw cause
  }
  task.end()
  if (broken.length > 0)
    progress.note(`${checkpoint.path}: weights are NaN or infinite in ${shortList(broken)}`)
  return Object.fromEntries(found.map(({ name }) => [name, loaded[name]]))
}

/** The largest matrices that have to be turned round come first: they need their size once more, while little else is loaded. */
function inLoadingOrder(found: readonly PlannedWeight[]): PlannedWeight[] {
  const extra = ({ source, count }: PlannedWeight) => (source.transpose ? count : 0)
  return [...found].sort((a, b) => extra(b) - extra(a))
}

const shortList = (names: readonly string[]): string =>
  names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`
