import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import type { SourceOptions } from '../hub/hub-source.js'
import { resolveSource } from '../hub/resolve-source.js'
import { sha256, writeFileAtomic } from '../storage/atomic-file.js'
import { loadTokenizer, type Tokenizer } from './tokenizer.js'

/** tokenizer.json, and what beside it says which tokens begin and end a text. */
const FILES = new Set(['tokenizer.json', 'tokenizer_config.json', 'config.json', 'generation_config.json'])

/** Name of the second file of `writeTokenizer`. */
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json'

/** A tokenizer that was found by its name. */
export interface FoundTokenizer {
  tokenizer: Tokenizer
  /** commit on the hub; null for files of the user's own */
  commit: string | null
  /** SHA-256 of what `writeTokenizer` writes */
  hash: string
}

/**
 * Loads the tokenizer of a model: a directory with tokenizer.json, such a file, or an id on the Hugging Face hub.
 * @throws MonosemError as `resolveSource` and `loadTokenizer`
 */
export async function findTokenizer(source: string, options: SourceOptions = {}): Promise<FoundTokenizer> {
  const {
    directory,
    file = 'tokenizer.json',
    commit,
  } = await resolveSource(source, (path) => FILES.has(path), options)
  const tokenizer = await loadTokenizer(join(directory, file)).catch((error: unknown) => {
    if (!(error instanceof MonosemError) || error.code !== 'missing') throw error
    throw new MonosemError('missing', `${source}: expected a ${file} in ${directory}, there is none`, {
      cause: error,
      hint: "in Python, AutoTokenizer.from_pretrained(...).save_pretrained(...) makes one of a tokenizer's older files",
    })
  })
  return { tokenizer, commit, hash: sha256(tokenizer.json + (tokenizer.configJson ?? '')) }
}

/**
 * Writes a tokenizer into a directory so that `loadTokenizer` finds the same one: tokenizer.json, and tokenizer_config.json where that does not
 * say everything.
 * @throws MonosemError io
 */
export async function writeTokenizer(directory: string, { json, configJson }: Tokenizer): Promise<void> {
  await writeFileAtomic(join(directory, 'tokenizer.json'), json)
  if (configJson !== null) await writeFileAtomic(join(directory, TOKENIZER_CONFIG_FILE), configJson)
}
