import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ResolvedSource, SourceOptions } from '../../hub/hub-source.js'
import { resolveSource } from '../../hub/resolve-source.js'
import { openStage } from '../../storage/open-stage.js'
import { type Detected, detectSae, isSaeFile } from './detect.js'
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

export interface ReadSaeOptions extends SourceOptions, ReadSaelensOptions {
  /** hook point that it reads, where the files do not say or say it in other words */
  hookName?: string
  /** hook point that it reconstructs. Default: what the files say; for an autoencoder `hookName` */
  targetHookName?: string
}

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
  const resolved = await resolveSource(source, isSaeFile, options)
  const { directory, file: named } = resolved
  await checkStage(directory)
  const detected = await detectSae(named === undefined ? directory : join(directory, named))
  try {
    const file = await readers[detected.format](detected, placeOf(resolved), options)
    return {
      ...withHooks(file, options),
      detected: detected.reason,
      files: [...(detected.config ? [detected.config.path] : []), ...detected.weights.files],
      source: resolved,
    }
  } finally {
    await detected.weights.close()
  }
}

/** With the hook points that the caller names. */
function withHooks(file: SaeFile, { hookName, targetHookName }: ReadSaeOptions): SaeFile {
  if (hookName === undefined && targetHookName === undefined) return file
  const transcoder = file.config.d_out !== undefined
  const reads = hookName ?? file.conventions.hookName
  const target = targetHookName ?? (transcoder ? file.conventions.targetHookName : reads)
  const { hook_name: _, hook_name_out: __, ...metadata } = file.config.metadata
  return {
    ...file,
    conventions: { ...file.conventions, hookName: reads, targetHookName: target },
    config: {
      ...file.config,
      metadata: {
        ...metadata,
        ...(reads !== null && { hook_name: reads }),
        ...(transcoder && target !== null && { hook_name_out: target }),
      },
    },
  }
}

/** Where it is, by the names that say what it is of. */
const placeOf = ({ repository, name, directory }: ResolvedSource): string =>
  repository === null ? directory : name

/** A stage of ours has the hashes of its files. */
async function checkStage(directory: string): Promise<void> {
  if (!existsSync(join(directory, 'manifest.json'))) return
  const stage = await openStage(directory, 'sae')
  const weights = (await readdir(directory)).filter((name) => name.startsWith('sae_weights'))
  await Promise.all(['cfg.json', ...weights].map((name) => stage.file(name)))
}
