import { join } from 'node:path'
import { loadTokenizer, type Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { SourceOptions } from '../hub/hub-source.js'
import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load.js'
import { loadHuggingFaceModel } from './huggingface/load.js'
import { createLanguageModel, type LanguageModel } from './language-model.js'
import { loadTransformer } from './model-files.js'
import { findModel } from './model-source.js'
import { freeTransformer, type Transformer } from './transformer.js'

export interface LoadModelOptions extends SourceOptions {
  /** what computes it; default: `loadKernels()` */
  kernels?: Kernels
  /**
   * number format in which matrices are kept; sums are always f32. Default: f32, and of a model directory of ours the format that it is stored in
   */
  weights?: 'f32' | 'bf16'
}

/**
 * Loads a language model with its tokenizer.
 *
 * Weights that are NaN or infinite, and tensors that no parameter is made of, are noted through `options.progress`.
 * @param source a model directory of a run (`runs/demo/model`), a directory in the Hugging Face layout (config.json, safetensors, tokenizer.json),
 * or a repository of the Hugging Face hub (`gpt2`, `EleutherAI/pythia-70m-deduped`), which is then downloaded into its cache
 * @throws MonosemError missing, format (a model or tokenizer that is not computed), shape, corrupt, io, remote, interrupted
 */
export async function loadModel(source: string, options: LoadModelOptions = {}): Promise<LanguageModel> {
  const { directory, layout, modelName } = await findModel(source, options)
  const tokenizer = await loadTokenizer(join(directory, 'tokenizer.json'))
  const kernels = options.kernels ?? (await loadKernels())
  const transformer =
    layout === 'monosem'
      ? await loadTransformer(kernels, directory, options)
      : { ...(await loadHuggingFaceModel(kernels, directory, options)), name: modelName }
  requireVocabulary(transformer, tokenizer, source)
  return createLanguageModel(transformer, tokenizer, transformer.name ?? modelName)
}

/** A tokenizer must not make tokens that the model does not have. */
export function requireVocabulary(model: Transformer, tokenizer: Tokenizer, source: string): void {
  const { vocabularySize } = model.config
  if (tokenizer.vocabularySize <= vocabularySize) return
  freeTransformer(model)
  throw new MonosemError(
    'shape',
    `${source}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model only ${vocabularySize}`,
    { hint: 'does tokenizer.json belong to this model?' },
  )
}
