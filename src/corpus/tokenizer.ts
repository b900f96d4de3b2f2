import { readFile } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from '../storage/atomic-file.js'
import { charactersToBytes, splitWords } from './byte-level.js'
import { createMerger, type Merger } from './merger.js'
import { readTokenizerJson } from './tokenizer-json.js'

/** Text to tokens and back, byte-level BPE. */
export interface Tokenizer {
  /** V, the special token included */
  vocabularySize: number
  /** id of `<|endoftext|>`, which stands before every document */
  endOfText: number
  /**
   * Tokens of a text. Adds no special token and never makes one: the characters `<|endoftext|>` inside a text become
   * ordinary tokens, so that a document cannot pretend to end.
   */
  encode(text: string): Int32Array
  /** Text of tokens; bytes that are not valid UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>): string
  /** UTF-8 bytes that a token stands for; the characters of its name for a special token. */
  tokenBytes(id: number): Uint8Array
  /** A token for people: stray bytes of an incomplete character as ⟨d8⟩, newline as ↵, tab as ⇥, controls as ⟨07⟩. */
  tokenText(id: number): string
  /** the tokenizer.json it was made from */
  json: string
}

/** Words longer than this many characters are not remembered. */
const CACHED_WORD = 48
const CACHED_WORDS = 250_000

/**
 * Reads a tokenizer.json.
 * @throws MonosemError missing, io, format (not a byte-level BPE with GPT-2's pre-tokenizer)
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  let json: string
  try {
    json = await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  return createTokenizer(json, path)
}

/**
 * Makes a tokenizer from the text of a tokenizer.json; encodes exactly as Hugging Face's libraries do with the same file.
 * @param name what errors call the file
 * @throws MonosemError format
 */
export function createTokenizer(json: string, name = 'tokenizer.json'): Tokenizer {
  const parsed = readTokenizerJson(json, name)
  const bytes = parsed.tokens.map((token, id) =>
    id === parsed.endOfText ? new TextEncoder().encode(token) : (charactersToBytes(token) as Uint8Array),
  )
  const merger = createMerger(parsed.byteIds, parsed.merges)
  const check = (id: number): number => {
    if (Number.isInteger(id) && id >= 0 && id < bytes.length) return id
    throw new MonosemError('shape', `tokenizer: expected a token id from 0 to ${bytes.length - 1}, got ${id}`)
  }
  const tokenBytes = (id: number) => bytes[check(id)] as Uint8Array
  /** Lists of features show the same few thousand tokens again and again. */
  const texts: (string | undefined)[] = []
  const tokenText = (id: number): string => {
    const text = texts[id] ?? readableBytes(tokenBytes(id))
    texts[id] = text
    return text
  }
  return {
    vocabularySize: bytes.length,
    endOfText: parsed.endOfText,
    encode: createEncode(merger),
    decode: (ids) => decodeUtf8.decode(concat(Array.from(ids, tokenBytes))),
    tokenBytes,
    tokenText,
    json,
  }
}

const decodeUtf8 = new TextDecoder('utf-8', { ignoreBOM: true })

function concat(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** encode() with a memory of the words seen: natural text repeats them. */
function createEncode(merger: Merger): (text: string) => Int32Array {
  const cache = new Map<string, Int32Array>()
  const utf8 = new TextEncoder()
  let out = new Int32Array(1024)
  const tokensOf = (word: string): Int32Array => {
    const known = cache.get(word)
    if (known) return known
    const tokens = merger(utf8.encode(word))
    if (word.length <= CACHED_WORD) {
      if (cache.size >= CACHED_WORDS) cache.clear()
      cache.set(word, tokens)
    }
    return tokens
  }
  return (text) => {
    let length = 0
    for (const word of splitWords(text)) {
      const tokens = tokensOf(word)
      if (length + tokens.length > out.length) {
        const larger = new Int32Array(Math.max(out.length * 2, length + tokens.length))
        larger.set(out)
        out = larger
      }
      for (let i = 0; i < tokens.length; i++) out[length++] = tokens[i] as number
    }
    return out.slice(0, length)
  }
}

/** Bytes for people: valid characters as they are, control characters and stray bytes by their number. */
export function readableBytes(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at)
    if (length === 0) text += `⟨${hex(bytes[at++] as number)}⟩`
    else {
      text += readableCharacter(Buffer.from(bytes.subarray(at, at + length)).toString('utf8'))
      at += length
    }
  }
  return text
}

function readableCharacter(character: string): string {
  if (character === '\n') return '↵'
  if (character === '\t') return '⇥'
  const code = character.codePointAt(0) as number
  return code < 0x20 || (code >= 0x7f && code < 0xa0) ? `⟨${hex(code)}⟩` : character
}

const hex = (value: number): string => value.toString(16).padStart(2, '0')

/** Length of the valid UTF-8 character that starts at `at`, or 0. */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  const length = first < 0x80 ? 1 : first >> 5 === 6 ? 2 : first >> 4 === 14 ? 3 : first >> 3 === 30 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(at, at + length))
    return length
  } catch {
    return 0
  }
}
