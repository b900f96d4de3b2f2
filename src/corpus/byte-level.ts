/**
 * The byte-level alphabet and pre-tokenizer of GPT-2 (Radford et al. 2019, `encoder.py`): every byte has a printable
 * character, and text is cut into words before merges apply.
 */

/** The pre-tokenizer's pattern as Hugging Face's tokenizers spell it in tokenizer.json. */
export const GPT2_PATTERN =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/**
 * The same pattern for JavaScript. `\s` is spelled out because JavaScript's own differs from Unicode's White_Space, which
 * Hugging Face's tokenizers use, in U+0085 and U+FEFF.
 */
const WORDS =
  /'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu

/** Cuts a text into the words that merges never cross. Joined, they are the text. */
export function splitWords(text: string): string[] {
  return text.match(WORDS) ?? []
}

/** Character of tokenizer.json for each byte, [256]: printable Latin-1 stands for itself, the rest from U+0100 on. */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters()

/** Byte for each character of BYTE_CHARACTERS. */
const CHARACTER_BYTES: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
)

function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  let extra = 0
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : 0x100 + extra++),
  )
}

/** Spells bytes in the characters of tokenizer.json. */
export function bytesToCharacters(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += BYTE_CHARACTERS[byte]
  return text
}

/** Reads a token of tokenizer.json back into bytes; null when it holds a character outside the byte alphabet. */
export function charactersToBytes(text: string): Uint8Array | null {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const byte = CHARACTER_BYTES.get(text[i] as string)
    if (byte === undefined) return null
    bytes[i] = byte
  }
  return bytes
}
