import type { TokenSplit } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'

/** A document as its tokens cut it up. */
export interface TokenizedText {
  text: string
  /**
   * [characters + 1] first byte of each UTF-16 unit of the text; both halves of a pair carry their
   * character's first byte
   */
  byteOf: Int32Array
  /** [tokens + 1] first byte of each token, then the number of bytes */
  tokenStart: Int32Array
}

/** The text of some tokens, <|endoftext|> excluded. Bytes that are no valid UTF-8 become one U+FFFD each. */
export function tokenizedText(
  tokens: ArrayLike<number>,
  tokenizer: Pick<Tokenizer, 'tokenBytes'>,
): TokenizedText {
  const tokenStart = new Int32Array(tokens.length + 1)
  const parts: Uint8Array[] = []
  for (let i = 0; i < tokens.length; i++) {
    const bytes = tokenizer.tokenBytes(tokens[i])
    parts.push(bytes)
    tokenStart[i + 1] = tokenStart[i] + bytes.length
  }
  return { ...decodeBytes(Buffer.concat(parts)), tokenStart }
}

/** UTF-8 to text, with the byte at which each UTF-16 unit starts. */
export function decodeBytes(bytes: Uint8Array): { text: string; byteOf: Int32Array } {
  const characters: string[] = []
  const byteOf: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const { character, length } = characterAt(bytes, at)
    characters.push(character)
    for (let unit = 0; unit < character.length; unit++) byteOf.push(at)
    at += length
  }
  byteOf.push(bytes.length)
  return { text: characters.join(''), byteOf: Int32Array.from(byteOf) }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function characterAt(bytes: Uint8Array, at: number): { character: string; length: number } {
  const lead = bytes[at]
  if (lead < 0x80) return { character: String.fromCharCode(lead), length: 1 }
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
  try {
    if (at + length <= bytes.length)
      return { character: strict.decode(bytes.subarray(at, at + length)), length }
  } catch {
    // not a character: shown as one
  }
  return { character: '\ufffd', length: 1 }
}

/**
 * Where a document's text lies in its split: first token after <|endoftext|>, and one past its last token.
 */
export function documentRange(split: TokenSplit, index: number): { first: number; end: number } {
  const { documentStarts } = split
  const end = index + 1 < documentStarts.length ? documentStarts[index + 1] : split.tokens.length
  return { first: documentStarts[index] + 1, end }
}
