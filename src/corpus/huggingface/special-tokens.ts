import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storageError } from '../../storage/atomic-file.js'
import { MAX_VOCABULARY, tokenizerError } from './tokenizer-document.js'

/** What the files beside a tokenizer.json say about the model that it belongs to. */
export interface BesideTokenizer {
  /** token that stands before a text, by name or id */
  bos?: string | number
  /** token that ends a text, by name or id */
  eos?: string | number
  /** more tokens at which the model ends a text, by id: models of chats list several */
  moreEnds?: readonly number[]
  /** rows of the model's embedding, which may be more than the tokenizer has tokens */
  vocabularySize?: number
}

/**
 * Reads tokenizer_config.json, then config.json, then generation_config.json of a directory; the first that names a token counts.
 * @throws MonosemError format (not JSON), io
 */
export async function readBesideTokenizer(directory: string): Promise<BesideTokenizer> {
  const tokenizer = await readIfThere(join(directory, 'tokenizer_config.json'))
  const config = await readIfThere(join(directory, 'config.json'))
  // A stage's own config.json is none of a model.
  const model = typeof config.model_type === 'string' ? config : {}
  const generation = await readIfThere(join(directory, 'generation_config.json'))
  const size = tokenizer.monosem_vocabulary_size ?? model.vocab_size
  return {
    bos: nameOf(tokenizer.bos_token) ?? idOf(model.bos_token_id) ?? idOf(generation.bos_token_id),
    eos: nameOf(tokenizer.eos_token) ?? idOf(model.eos_token_id) ?? idOf(generation.eos_token_id),
    moreEnds: idsOf(tokenizer.monosem_end_tokens, model.eos_token_id, generation.eos_token_id),
    vocabularySize:
      typeof size === 'number' && Number.isInteger(size) && size <= MAX_VOCABULARY ? size : undefined,
  }
}

/** A tokenizer_config.json that says the same, which Python's libraries can read too. */
export function formatTokenizerConfig({ bos, eos, moreEnds, vocabularySize }: BesideTokenizer): string {
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: bos,
    eos_token: eos,
    monosem_vocabulary_size: vocabularySize,
    ...(moreEnds && moreEnds.length > 0 && { monosem_end_tokens: moreEnds }),
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

async function readIfThere(path: string): Promise<Record<string, unknown>> {
  let json: string
  try {
    json = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw storageError('read', path, cause)
  }
  try {
    const value = JSON.parse(json)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // reported below
  }
  throw tokenizerError(path, 'expected a JSON object')
}

function nameOf(value: unknown): string | undefined {
  const name = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value
  return typeof name === 'string' && name !== '' ? name : undefined
}

/** Models with several ends of text list the usual one first. */
const idOf = (value: unknown): number | undefined => idsOf(value)[0]

/** Every id in ids and lists of ids, once each. */
function idsOf(...values: unknown[]): number[] {
  const ids = values.flat().filter((id): id is number => Number.isInteger(id) && (id as number) >= 0)
  return [...new Set(ids)]
}

const USUAL_BOS = ['<bos>', '<s>', '<|begin_of_text|>', '<|startoftext|>', '[BOS]']
const USUAL_EOS = ['<|endoftext|>', '</s>', '<eos>', '<|end_of_text|>', '<|im_end|>', '[EOS]']

/** The tokens of a tokenizer. */
interface Known {
  /** by id, [V] */
  tokens: readonly (string | undefined)[]
  idOf: (name: string) => number | undefined
  /** names of the added tokens */
  added: ReadonlySet<string>
}

/**
 * Ids of the tokens before and after a text; where the files name none, an added token of a usual name, and either for the other.
 * @throws MonosemError format (there is neither)
 */
export function startAndEnd(
  beside: BesideTokenizer,
  known: Known,
  name: string,
): { startOfText: number; endOfText: number } {
  const find = (given: string | number | undefined, usual: readonly string[]): number | undefined => {
    if (typeof given === 'number' && known.tokens[given] !== undefined) return given
    const named = typeof given === 'string' ? known.idOf(given) : undefined
    return named ?? usual.filter((token) => known.added.has(token)).map(known.idOf)[0]
  }
  const bos = find(beside.bos, USUAL_BOS)
  const eos = find(beside.eos, USUAL_EOS)
  const start = bos ?? eos
  const end = eos ?? bos
  if (start === undefined || end === undefined)
    throw tokenizerError(
      name,
      'expected a token that begins or ends a text; put a tokenizer_config.json with bos_token or eos_token beside it',
    )
  return { startOfText: start, endOfText: end }
}
