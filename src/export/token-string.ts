import type { Tokenizer } from '../corpus/tokenizer.js'
import { decodeBytes } from '../interp/document-text.js'

/** How a byte that is no whole character by itself is written. */
export type StrayByte = (byte: number) => string

const hex = (byte: number): string => byte.toString(16).padStart(2, '0')

/** For people, as Monosem prints it: ⟨d8⟩. */
export const angledByte: StrayByte = (byte) => `⟨${hex(byte)}⟩`

/** As circuit-tracer's pages expect it: \xd8. They join such tokens to characters again. */
export const escapedByte: StrayByte = (byte) => `\\x${hex(byte)}`

/** The text of one token: its characters as they are (line ends too), and bytes of a character that is spread over tokens. */
export function tokenString(
  token: number,
  tokenizer: Pick<Tokenizer, 'tokenBytes'>,
  strayByte: StrayByte,
): string {
  const bytes = tokenizer.tokenBytes(token)
  const { text, byteOf } = decodeBytes(bytes)
  let out = ''
  for (let unit = 0; unit < text.length; unit++) {
    const stray = text[unit] === '\ufffd' && byteOf[unit + 1] - byteOf[unit] === 1
    out += stray ? strayByte(bytes[byteOf[unit]]) : text[unit]
  }
  return out
}
