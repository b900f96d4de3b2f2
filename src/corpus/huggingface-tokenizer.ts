import { assembleTokenizer, type Tokenizer } from './assemble-tokenizer.js'
import { createAddedTokenFinder } from './huggingface/added-tokens.js'
import { createBpeEncoder, type PieceEncoder } from './huggingface/bpe-encoder.js'
import { createNormalizer } from './huggingface/library.js'
import { createPreTokenizer } from './huggingface/pre-tokenizer.js'
import { type BesideTokenizer, formatTokenizerConfig, startAndEnd } from './huggingface/special-tokens.js'
import { byteLevelBytes, byteOfToken, createTokensDecoder } from './huggingface/text-decoder.js'
import {
  type AddedToken,
  MAX_VOCABULARY,
  type PostProcessorStep,
  readTokenizerDocument,
  type TokenizerDocument,
  tokenizerError,
} from './huggingface/tokenizer-document.js'
import { createUnigramEncoder } from './huggingface/unigram-encoder.js'

/**
 * Makes a tokenizer from the tokenizer.json of any of Hugging Face's models whose text becomes tokens by byte-level BPE (GPT-2, GPT-NeoX,
 * Llama 3, Qwen), by BPE with byte fallback (Llama 2, Mistral, Gemma) or by a unigram model.
 * @param value the parsed file
 * @param json its text
 * @param beside what the files beside it say
 * @param name what errors call the file
 * @throws MonosemError format (names what is not supported)
 */
export function createHuggingFaceTokenizer(
  value: unknown,
  json: string,
  beside: BesideTokenizer,
  name: string,
): Tokenizer {
  const document = readTokenizerDocument(value, name)
  const tokens = tokensById(document, name)
  const ids = new Map<string, number>()
  for (const [id, token] of tokens.entries()) if (token !== undefined) ids.set(token, id)
  const added = new Map(document.added_tokens.map((token) => [token.content, token]))
  const names = { idOf: (token: string) => ids.get(token), added: new Set(added.keys()), tokens }
  const { startOfText, endOfText } = startAndEnd(beside, names, name)
  // Whatever the file says of the two: no text may become them.
  const special = new Set([startOfText, endOfText])
  for (const token of document.added_tokens) {
    if (token.special) special.add(token.id)
    token.special = special.has(token.id)
  }
  const encode = orRefuse(name, () => createTextEncoder(document, special))
  const decode = createTokensDecoder(document.decoder)
  const vocabularySize = Math.max(tokens.length, beside.vocabularySize ?? 0)
  const moreEnds = beside.moreEnds?.filter((id) => id !== endOfText)
  return assembleTokenizer({
    bytes: rememberBytes((id) =>
      id in tokens ? tokenBytes(tokens[id], document, added) : new Uint8Array(0),
    ),
    vocabularySize,
    special,
    startOfText,
    endOfText,
    moreEnds,
    encode: (text) => encode(text, true),
    encodeWithSpecialTokens: (text) =>
      Int32Array.from(postProcess(document.post_processor, encode(text, false))),
    decode: (kept) => decode(kept.map((id) => tokens[id]).filter((token) => token !== undefined)),
    json,
    configJson: formatTokenizerConfig({
      bos: tokens[startOfText],
      eos: tokens[endOfText],
      moreEnds,
      vocabularySize,
    }),
  })
}

/** Token of each id, [V]; a hole where the file gives an id to none. @throws MonosemError format (an id beyond all reason) */
function tokensById({ model, added_tokens: added }: TokenizerDocument, name: string): string[] {
  const ids: Array<[string, number]> =
    model.type === 'BPE' ? Object.entries(model.vocab) : model.vocab.map(([token], id) => [token, id])
  for (const { id, content } of added) ids.push([content, id])
  const tokens: string[] = []
  for (const [token, id] of ids) {
    if (id >= MAX_VOCABULARY)
      throw tokenizerError(
        name,
        `expected ids below ${MAX_VOCABULARY}, got ${id} for ${JSON.stringify(token)}`,
      )
    tokens[id] = token
  }
  return tokens
}

function rememberBytes(bytesOf: (id: number) => Uint8Array): (id: number) => Uint8Array {
  const known: Uint8Array[] = []
  return (id) => (known[id] ??= bytesOf(id))
}

/** UTF-8 bytes that a token stands for. */
function tokenBytes(
  token: string,
  document: TokenizerDocument,
  added: ReadonlyMap<string, AddedToken>,
): Uint8Array {
  const has = (type: string) => document.decoder.some((step) => step.type === type)
  const byte = has('ByteFallback') ? byteOfToken(token) : null
  if (byte !== null) return Uint8Array.of(byte)
  if (has('ByteLevel') && !added.has(token)) return byteLevelBytes(token)
  const spaced = has('ByteLevel') || added.get(token)?.special ? token : token.replaceAll('▁', ' ')
  return new TextEncoder().encode(spaced)
}

type TextEncoderOf = (text: string, keepSpecial: boolean) => Int32Array

/** Added tokens, normalizer, pre-tokenizer, model, in this order. */
function createTextEncoder(document: TokenizerDocument, special: ReadonlySet<number>): TextEncoderOf {
  const normalize = createNormalizer(document.normalizer)
  const asWritten = document.added_tokens.filter((token) => !token.normalized)
  const normalized = document.added_tokens.filter((token) => token.normalized)
  const findFirst = createAddedTokenFinder(new Map(asWritten.map((token) => [token.content, token])))
  const findSecond = createAddedTokenFinder(
    new Map(normalized.map((token) => [normalize(token.content), token])),
  )
  const cut = createPreTokenizer(document.pre_tokenizer)
  const plain = createPieceEncoder(document, special)
  // Only few ask for it, and a large vocabulary takes a moment.
  let exact: PieceEncoder | null = null
  return (text, keepSpecial) => {
    const out: number[] = []
    if (!keepSpecial) exact ??= createPieceEncoder(document, new Set())
    const encodePiece = keepSpecial || !exact ? plain : exact
    for (const outer of findFirst(text.replace(/\p{Surrogate}/gu, '\ufffd'), keepSpecial)) {
      if ('id' in outer) {
        out.push(outer.id)
        continue
      }
      for (const section of findSecond(normalize(outer.text), keepSpecial)) {
        if ('id' in section) out.push(section.id)
        else for (const piece of cut(section.text, outer.start + section.start === 0)) encodePiece(piece, out)
      }
    }
    return Int32Array.from(out)
  }
}

function createPieceEncoder(
  { model, pre_tokenizer: steps }: TokenizerDocument,
  forbidden: ReadonlySet<number>,
): PieceEncoder {
  if (model.type === 'Unigram') return createUnigramEncoder(model, forbidden)
  return createBpeEncoder(model, { byteLevel: steps.at(-1)?.type === 'ByteLevel', forbidden })
}

/** Adds the special tokens that a model of Hugging Face wants around a text. */
function postProcess(steps: readonly PostProcessorStep[], ids: Int32Array): number[] {
  let out = Array.from(ids)
  for (const step of steps) {
    if (step.type !== 'TemplateProcessing') continue
    const text = out
    out = step.single.flatMap((part) =>
      'Sequence' in part ? text : (step.special_tokens[part.SpecialToken.id]?.ids ?? []),
    )
  }
  return out
}

function orRefuse<T>(name: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw tokenizerError(name, cause instanceof Error ? cause.message : String(cause), cause)
  }
}
