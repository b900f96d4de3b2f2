import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { loadTokenizer } from '../corpus/tokenizer.js'
import { writeTokenizer } from '../corpus/tokenizer-source.js'
import { MonosemError } from '../errors/monosem-error.js'
import { openCheckpoint } from '../formats/safetensors-index.js'
import type { SourceOptions } from '../hub/hub-source.js'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { sha256File, writeFileAtomic } from '../storage/atomic-file.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { loadHuggingFaceModel } from './huggingface/load.js'
import type { ImportConfig } from './import-config.js'
import { requireVocabulary } from './load-model.js'
import { saveTransformer } from './model-files.js'
import { findModel, isModelFile, type ModelSource } from './model-source.js'
import { freeTransformer, parameterCount, type Transformer } from './transformer.js'

/**
 * Makes a model directory of ours from a Hugging Face checkpoint, so that every later stage works on it as on a model that was trained here. It holds
 * model.json, model.safetensors (in the number format of the checkpoint), the tokenizer, and metrics.json with the number of parameters; its config.json
 * records repository, commit and the SHA-256 of every file that was read.
 * @param source a directory in the Hugging Face layout, or a repository of the hub
 * @throws MonosemError config (it is a model directory of ours already), and as `loadModel` and `runStage`
 */
export async function importModel(
  { context: longest, weights, revision }: ImportConfig,
  paths: { source: string; out: string },
  context: StageContext & { kernels: Kernels } & Pick<
      SourceOptions,
      'offline' | 'cacheDirectory' | 'endpoint'
    >,
): Promise<StageResult> {
  const found = await findModel(paths.source, { ...context, ...(revision !== '' && { revision }) })
  if (found.layout === 'monosem')
    throw new MonosemError('config', `${paths.source} is a model directory already`, {
      hint: 'use it as it is: --model takes it',
    })
  const { directory, repository, commit, modelName } = found
  const dtype = weights === 'stored' ? await storedType(directory) : weights
  const config = {
    ...{ source: modelName, repository, commit, context: longest, weights: dtype },
    files: await hashFiles(found),
  }
  return runStage({ stage: 'model', out: paths.out, config, inputs: {} }, async (partial) => {
    const tokenizer = await loadTokenizer(join(directory, 'tokenizer.json'))
    const loaded = await loadHuggingFaceModel(context.kernels, directory, { ...context, weights: dtype })
    const model = { ...shorten(loaded, longest), name: modelName }
    requireVocabulary(model, tokenizer, paths.source)
    await saveTransformer(model, partial)
    await writeTokenizer(partial, tokenizer)
    const metrics = { parameters: parameterCount(model.config) }
    await writeFileAtomic(join(partial, 'metrics.json'), `${JSON.stringify(metrics, null, 2)}\n`)
    freeTransformer(loaded)
  })
}

/** bf16 where matrices are stored so. */
async function storedType(directory: string): Promise<'f32' | 'bf16'> {
  const checkpoint = await openCheckpoint(directory)
  try {
    const matrices = [...checkpoint.entries.values()].filter(({ shape }) => shape.length === 2)
    return matrices.length > 0 && matrices.every(({ dtype }) => dtype === 'BF16') ? 'bf16' : 'f32'
  } finally {
    await checkpoint.close()
  }
}

/** SHA-256 by name of the files that a model is loaded from. */
async function hashFiles({ directory }: ModelSource): Promise<Record<string, string>> {
  const names = (await readdir(directory)).filter(isModelFile).sort()
  const hashes: Record<string, string> = {}
  for (const name of names) hashes[name] = await sha256File(join(directory, name))
  return hashes
}

/** The model for shorter sequences: it computes the same, on fewer positions. */
function shorten(model: Transformer, longest: number): Transformer {
  const { kernels, config, params } = model
  if (longest >= config.context) return model
  const { 'pos_embed.W_pos': positions } = params
  return {
    ...model,
    config: { ...config, context: longest },
    params: positions ? { ...params, 'pos_embed.W_pos': kernels.rows(positions, 0, longest) } : params,
  }
}
