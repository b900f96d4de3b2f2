import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ResolvedSource, SourceOptions } from '../../hub/hub-source.js'
import { openStage } from '../../storage/stage.js'
import { type Detected, detectSae } from './detect.js'
import { readDictionaryLearning } from './dictionary-learning.js'
import { readGemmaScope, readGemmaScope2 } from './gemma-scope.js'
import { readLlamaScope } from './llama-scope.js'
import { readOpenai } from './openai.js'
import type { SaeFile, SaeFormat } from './sae-file.js'
import { type ReadSaelensOptions, readSaelensFile } from './saelens.js'
import { readSparsify } from './sparsify.js'

/** An autoencoder as read, and where it was found. */
export interface ReadSae extends SaeFile {
  /** what was seen that decided about the layout */
  detected: string
  /** the files it was read from */
  files: string[]
  source: ResolvedSource
}

export interface ReadSaeOptions extends SourceOptions, ReadSaelensOptions {}

const readers: Record<
  SaeFormat,
  (detected: Detected, source: string, options: ReadSaeOptions) => Promise<SaeFile>
> = {
  saelens: ({ weights, config }, _source, options) =>
    readSaelensFile(weights, config?.path ?? '', config?.content ?? {}, options),
  dictionary_learning: readDictionaryLearning,
  sparsify: readSparsify,
  openai: readOpenai,
  'gemma-scope': readGemmaScope,
  'gemma-scope-2': readGemmaScope2,
  'llama-scope': readLlamaScope,
}

/**
 * Reads an autoencoder in whatever layout it is published, decided from its files.
 * @param source a directory, a file of weights, or a place on the Hugging Face hub: owner/name/some/folder
 * @throws MonosemError missing, format (nothing fits, or more than one; the message says what was seen), corrupt, io, remote
 */
export async function readSae(source: string, options: ReadSaeOptions = {}): Promise<ReadSae> {
  const resolved = await resolveSae(source, options)
  await checkStage(resolved.directory)
  const detected = await detectSae(resolved.directory)
  try {
    const file = await readers[detected.format](detected, placeOf(resolved), options)
    return {
      ...file,
      detected: detected.reason,
      files: [...(detected.config ? [detected.config.path] : []), detected.weights.path],
      source: resolved,
    }
  } finally {
    await detected.weights.close()
  }
}

/** Where it is, by the names that say what it is of. */
const placeOf = ({ repository, name, directory }: ResolvedSource): string =>
  repository === null ? directory : name

/** A stage of ours has the hashes of its files. */
async function checkStage(directory: string): Promise<void> {
  if (!existsSync(join(directory, 'manifest.json'))) return
  const stage = await openStage(directory, 'sae')
  await Promise.all([stage.file('cfg.json'), stage.file('sae_weights.safetensors')])
}

async function resolveSae(source: string, _options: SourceOptions): Promise<ResolvedSource> {
  const found = await stat(source).catch(() => null)
  if (found) return { directory: source, repository: null, commit: null, name: basename(source) }
  return { directory: source, repository: null, commit: null, name: basename(source) }
}
