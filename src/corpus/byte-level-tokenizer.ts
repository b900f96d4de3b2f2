import { assembleTokenizer, type Tokenizer } from './assemble-tokenizer.js'
import { charactersToBytes, splitWords } from './byte-level.js'
import { type BesideTokenizer, formatTokenizerConfig } from './huggingface/special-tokens.js'
import { createMerger, type Merger } from './merger.js'
import { END_OF_TEXT, readTokenizerJson } from './tokenizer-json.js'

/** Words longer than this many characters are not remembered. */
const CACHED_WORD = 48
const CACHED_WORDS = 250_000

/**
 * Makes the tokenizer of a byte-level BPE with GPT-2's pre-tokenizer and `<|endoftext|>`, such as `monosem corpus build` trains; the
 * fast path beside huggingface-tokenizer.ts.
 * @param value the parsed file
 * @param beside what the files beside it say
 * @param name what errors call the file
 * @throws MonosemError format
 */
export function createByteLevelTokenizer(
  value: unknown,
  json: string,
  beside: BesideTokenizer,
  name: string,
): Tokenizer {
  const parsed = readTokenizerJson(value, name)
  const { endOfText } = parsed
  const bytes = parsed.tokens.map((token, id) =>
    id === endOfText ? utf8.encode(token) : (charactersToBytes(token) as Uint8Array),
  )
  const encode = createEncode(createMerger(parsed.byteIds, parsed.merges))
  const vocabularySize = Math.max(bytes.length, beside.vocabularySize ?? 0)
  const decodeUtf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  return assembleTokenizer({
    bytes: (id) => bytes[id] ?? NOTHING,
    vocabularySize,
    special: new Set([endOfText]),
    startOfText: endOfText,
    endOfText,
    encode,
    encodeWithSpecialTokens: (text) =>
      Int32Array.from(
        text
          .split(END_OF_TEXT)
          .flatMap((part, i) => (i === 0 ? [...encode(part)] : [endOfText, ...encode(part)])),
      ),
    decode: (ids) => decodeUtf8.decode(Buffer.concat(ids.map((id) => bytes[id] ?? NOTHING))),
    json,
    configJson: vocabularySize > bytes.length ? formatTokenizerConfig({ vocabularySize }) : null,
  })
}

const utf8 = new TextEncoder()
const NOTHING = new Uint8Array(0)

/** encode() with a memory of the words seen: natural text repeats them. */
function createEncode(merger: Merger): (text: string) => Int32Array {
  const cache = new Map<string, Int32Array>()
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
