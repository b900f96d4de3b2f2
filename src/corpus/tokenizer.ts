import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { storageError } from '../storage/atomic-file.js'
import type { Tokenizer } from './assemble-tokenizer.js'
import { createByteLevelTokenizer } from './byte-level-tokenizer.js'
import { type BesideTokenizer, readBesideTokenizer } from './huggingface/special-tokens.js'
import { tokenizerError } from './huggingface/tokenizer-document.js'
import { createHuggingFaceTokenizer } from './huggingface-tokenizer.js'
import { isByteLevelTokenizer } from './tokenizer-json.js'

export type { Tokenizer } from './assemble-tokenizer.js'
export { readableBytes } from './readable-bytes.js'

/**
 * Reads a tokenizer.json, of `monosem corpus build` or of a model of Hugging Face's. Which tokens begin and end a text, and how many rows the
 * model's embedding has, is read from tokenizer_config.json, config.json and generation_config.json beside it.
 * @throws MonosemError missing, io, format (names what is not supported)
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  let json: string
  try {
    json = await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  return createTokenizer(json, path, await readBesideTokenizer(dirname(path)))
}

/**
 * Makes a tokenizer from the text of a tokenizer.json; encodes exactly as Hugging Face's libraries do with the same file.
 * @param name what errors call the file
 * @param beside what the files beside it say
 * @throws MonosemError format
 */
export function createTokenizer(
  json: string,
  name = 'tokenizer.json',
  beside: BesideTokenizer = {},
): Tokenizer {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw tokenizerError(name, 'expected JSON', cause)
  }
  return isByteLevelTokenizer(value)
    ? createByteLevelTokenizer(value, json, beside, name)
    : createHuggingFaceTokenizer(value, json, beside, name)
}
