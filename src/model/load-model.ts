import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadTokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { SourceOptions } from '../hub/hub-source.js'
import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load.js'
import { createLanguageModel, type LanguageModel } from './language-model.js'
import { loadTransformer } from './model-files.js'

export interface LoadModelOptions extends SourceOptions {
  /** what computes it; default: `loadKernels()` */
  kernels?: Kernels
  /** number format in which matrices are kept; sums are always f32. Default f32 */
  weights?: 'f32' | 'bf16'
}

/**
 * Loads a language model with its tokenizer.
 * @param source a model directory of a run
 * @throws MonosemError missing, corrupt, format, shape
 */
export async function loadModel(source: string, options: LoadModelOptions = {}): Promise<LanguageModel> {
  const kernels = options.kernels ?? (await loadKernels())
  if (!existsSync(join(source, 'manifest.json')))
    throw new MonosemError('missing', `${source} is no model directory`)
  const transformer = await loadTransformer(kernels, source)
  const tokenizer = await loadTokenizer(join(source, 'tokenizer.json'))
  return createLanguageModel(transformer, tokenizer, source)
}
