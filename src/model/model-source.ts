import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import type { ResolvedSource, SourceOptions } from '../hub/hub-source.js'
import { resolveSource } from '../hub/resolve-source.js'

/** Files of a repository on the hub that a model is loaded from: others (other frameworks' weights, say) are not downloaded. */
const MODEL_FILES =
  /^(config|generation_config|tokenizer|tokenizer_config)\.json$|^model(-\d+-of-\d+)?\.safetensors$|^model\.safetensors\.index\.json$/

export const isModelFile = (path: string): boolean => MODEL_FILES.test(path)

/** A directory that holds a model, in one of two layouts. */
export interface ModelSource extends ResolvedSource {
  /** monosem: a finished model directory of ours; huggingface: config.json, safetensors, tokenizer.json */
  layout: 'monosem' | 'huggingface'
  /** what the model is called: its name on the hub, else that of its directory */
  modelName: string
}

/**
 * Finds a model: a model directory of a run, a directory in the Hugging Face layout, or a repository of the hub (then downloaded into its cache).
 * @throws MonosemError missing (no such directory or repository, or no model in it), and as `resolveSource`
 */
export async function findModel(source: string, options: SourceOptions = {}): Promise<ModelSource> {
  const found = await resolveSource(source, isModelFile, options)
  const { directory, repository } = found
  const has = (...path: string[]) => existsSync(join(directory, ...path))
  const modelName = repository ?? basename(directory)
  if (has('manifest.json') && has('model.json')) return { ...found, layout: 'monosem', modelName }
  if (has('config.json') && !has('manifest.json')) return { ...found, layout: 'huggingface', modelName }
  throw new MonosemError(
    'missing',
    `${source}: expected a model, found neither model.json and manifest.json nor the config.json of a Hugging Face model`,
    {
      hint: has('model', 'manifest.json')
        ? `${join(source, 'model')} is the model directory of this run`
        : 'pass a model directory of a run, a directory with config.json, safetensors and tokenizer.json, or a name on the hub',
    },
  )
}
