import { charactersToBytes } from '../byte-level.js'
import type { DecoderStep } from './tokenizer-document.js'

/** Turns the strings of tokens into text. */
export type TokensDecoder = (tokens: string[]) => string

const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const strictFromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/** Makes the decoding that a tokenizer.json describes. */
export function createTokensDecoder(steps: readonly DecoderStep[]): TokensDecoder {
  if (steps.length === 0) return (tokens) => tokens.join(' ')
  const chain = steps.map(createStep)
  return (tokens) => chain.reduce((parts, step) => step(parts), tokens).join('')
}

function createStep(step: DecoderStep): (tokens: string[]) => string[] {
  switch (step.type) {
    case 'ByteLevel':
      return (tokens) => [fromUtf8.decode(Buffer.concat(tokens.map((token) => byteLevelBytes(token))))]
    case 'ByteFallback':
      return joinByteTokens
    case 'Fuse':
      return (tokens) => [tokens.join('')]
    case 'Replace':
      return (tokens) => tokens.map((token) => token.replaceAll(step.pattern.String, step.content))
    case 'Strip':
      return (tokens) => tokens.map((token) => strip(token, step.content, step.start, step.stop))
    case 'Metaspace': {
      const dropsFirst = step.prepend_scheme
        ? step.prepend_scheme !== 'never'
        : step.add_prefix_space !== false
      return (tokens) =>
        tokens.map((token, i) => token.replaceAll(step.replacement, i === 0 && dropsFirst ? '' : ' '))
    }
  }
}

/** Bytes of a token in the byte-level alphabet; of its name for an added one. */
export const byteLevelBytes = (token: string): Uint8Array => charactersToBytes(token) ?? utf8.encode(token)

/** The byte that a token `<0xAB>` stands for. */
export function byteOfToken(token: string): number | null {
  const digits = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)
  return digits ? Number.parseInt(digits[1], 16) : null
}

/** Runs of byte tokens become their characters, or one U+FFFD for each byte when they are not valid UTF-8. */
function joinByteTokens(tokens: string[]): string[] {
  const out: string[] = []
  let bytes: number[] = []
  const flush = () => {
    if (bytes.length > 0) out.push(decodeOrReplace(bytes))
    bytes = []
  }
  for (const token of tokens) {
    const byte = byteOfToken(token)
    if (byte !== null) bytes.push(byte)
    else {
      flush()
      out.push(token)
    }
  }
  flush()
  return out
}

function decodeOrReplace(bytes: number[]): string {
  try {
    return strictFromUtf8.decode(Uint8Array.from(bytes))
  } catch {
    return '\ufffd'.repeat(bytes.length)
  }
}

function strip(token: string, character: string, start: number, stop: number): string {
  let first = 0
  while (first < start && token[first] === character) first++
  let end = token.length
  while (token.length - end < stop && end > first && token[end - 1] === character) end--
  return token.slice(first, end)
}
