import { BYTE_CHARACTERS, bytesToCharacters } from '../byte-level.js'
import { createTokenMerger } from '../merger.js'
import { type BpeModel, MAX_VOCABULARY } from './tokenizer-document.js'

/** Tokens of one piece of text; appended to `out`. */
export type PieceEncoder = (piece: string, out: number[]) => void

export interface BpeOptions {
  /** the symbols are bytes, in the alphabet of byte-level.ts; else characters */
  byteLevel: boolean
  /** tokens that a piece of text may not become: the special ones */
  forbidden: ReadonlySet<number>
}

/**
 * Makes byte-pair encoding of pieces of text as the model `BPE` of Hugging Face's `tokenizers` does it.
 * @throws Error (a merge that names no token)
 */
export function createBpeEncoder(model: BpeModel, options: BpeOptions): PieceEncoder {
  const ids = new Map(Object.entries(model.vocab))
  const { merges, joints } = readMerges(model, ids, options.forbidden)
  const merge = createTokenMerger(merges)
  const symbols = options.byteLevel ? byteSymbols(model, ids) : characterSymbols(model, ids)
  const encode = rememberPieces((piece) => merge(symbols(piece)))
  const whole = model.ignore_merges ? wholePieces(ids, options) : null
  if (!whole && (options.byteLevel || joinsUnknown(model, ids, merges))) return encode
  if (!whole) return (text, out) => forEachPart(text, joints, (part) => encode(part, out))
  return (piece, out) => {
    const id = whole(piece)
    if (id === undefined) encode(piece, out)
    else out.push(id)
  }
}

interface Merges {
  /** [left, right, merged] ids in order of rank */
  merges: Array<[number, number, number]>
  /** the two characters at the joint of each merge, as `jointOf` */
  joints: Set<number>
}

function readMerges(model: BpeModel, ids: Map<string, number>, forbidden: ReadonlySet<number>): Merges {
  const joints = new Set<number>()
  /** by pair, because of a pair that is there twice the last counts */
  const ranked = new Map<number, [number, number, number]>()
  for (const [rank, merge] of model.merges.entries()) {
    const [left, right] = typeof merge === 'string' ? splitMerge(merge) : merge
    const found = [ids.get(left), ids.get(right), ids.get(left + right)]
    if (found.includes(undefined))
      throw new Error(`merge ${rank} ${JSON.stringify(merge)} names a token that is not in the vocabulary`)
    const triple = found as [number, number, number]
    if (forbidden.has(triple[2])) continue
    joints.add(jointOf(lastCharacter(left), right.codePointAt(0) as number))
    const key = triple[0] * MAX_VOCABULARY + triple[1]
    ranked.delete(key)
    ranked.set(key, triple)
  }
  return { merges: [...ranked.values()], joints }
}

function splitMerge(merge: string): [string, string] {
  const space = merge.indexOf(' ', 1)
  return [merge.slice(0, space), merge.slice(space + 1)]
}

const CODE_POINTS = 0x110000
const jointOf = (left: number, right: number): number => left * CODE_POINTS + right

function lastCharacter(text: string): number {
  const low = text.charCodeAt(text.length - 1)
  return low >= 0xdc00 && low < 0xe000 ? (text.codePointAt(text.length - 2) as number) : low
}

/**
 * Cuts a text where no merge can join: between characters a and b when no merge puts a token that ends with a before one that begins
 * with b. Merges on the two sides then know nothing of each other, so that the parts, encoded alone, give exactly the tokens of the whole.
 */
function forEachPart(text: string, joints: ReadonlySet<number>, visit: (part: string) => void): void {
  let start = 0
  let previous = -1
  for (let at = 0; at < text.length; ) {
    const character = text.codePointAt(at) as number
    if (previous >= 0 && !joints.has(jointOf(previous, character))) {
      visit(text.slice(start, at))
      start = at
    }
    previous = character
    at += character > 0xffff ? 2 : 1
  }
  if (start < text.length) visit(text.slice(start))
}

/** Whether tokens of characters that are not in the vocabulary are joined, of which `joints` know nothing. */
function joinsUnknown(model: BpeModel, ids: ReadonlyMap<string, number>, merges: Merges['merges']): boolean {
  const fallback = new Set(model.byte_fallback ? byteTokens(ids) : [undefined])
  if (model.fuse_unk && fallback.has(undefined)) return true
  return merges.some(([left, right]) => fallback.has(left) || fallback.has(right))
}

/** Token of a whole piece that is in the vocabulary (`ignore_merges`). */
function wholePieces(
  ids: ReadonlyMap<string, number>,
  { byteLevel, forbidden }: BpeOptions,
): (piece: string) => number | undefined {
  const utf8 = new TextEncoder()
  return (piece) => {
    const id = ids.get(byteLevel ? bytesToCharacters(utf8.encode(piece)) : piece)
    return id === undefined || forbidden.has(id) ? undefined : id
  }
}

/** The tokens that merging starts from. */
type Symbols = (piece: string) => Int32Array

/** One token for each byte. */
function byteSymbols(model: BpeModel, ids: ReadonlyMap<string, number>): Symbols {
  const unknown = unknownToken(model, ids)
  const byteIds = BYTE_CHARACTERS.map((character) => ids.get(character) ?? unknown)
  const utf8 = new TextEncoder()
  if (!byteIds.includes(undefined)) {
    const table = Int32Array.from(byteIds as number[])
    return (piece) => Int32Array.from(utf8.encode(piece), (byte) => table[byte])
  }
  return (piece) => {
    const found = Array.from(utf8.encode(piece), (byte) => byteIds[byte])
    return Int32Array.from(found.filter((id) => id !== undefined))
  }
}

/** A token for each character; for one that is not in the vocabulary its bytes' tokens, or the unknown token. */
function characterSymbols(model: BpeModel, ids: ReadonlyMap<string, number>): Symbols {
  const unknown = unknownToken(model, ids)
  const bytes = model.byte_fallback ? byteTokens(ids) : null
  const utf8 = new TextEncoder()
  return (piece) => {
    const out: number[] = []
    let afterUnknown = false
    for (const character of piece) {
      const id = ids.get(character)
      const fallback =
        id === undefined && bytes ? Array.from(utf8.encode(character), (byte) => bytes[byte]) : null
      const isUnknown = id === undefined && (!fallback || fallback.includes(undefined))
      if (id !== undefined) out.push(id)
      else if (!isUnknown) out.push(...(fallback as number[]))
      else if (unknown !== undefined && !(model.fuse_unk && afterUnknown)) out.push(unknown)
      afterUnknown = isUnknown
    }
    return Int32Array.from(out)
  }
}

const unknownToken = (model: BpeModel, ids: ReadonlyMap<string, number>): number | undefined =>
  model.unk_token ? ids.get(model.unk_token) : undefined

/** Token `<0xAB>` of each byte, [256]. */
export const byteTokens = (ids: ReadonlyMap<string, number>): Array<number | undefined> =>
  Array.from({ length: 256 }, (_, byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`))

/** Pieces longer than this many characters are not remembered. */
const REMEMBERED_LENGTH = 48
const REMEMBERED_PIECES = 250_000

/** Natural text repeats its words. */
function rememberPieces(tokensOf: (piece: string) => Int32Array): PieceEncoder {
  const known = new Map<string, Int32Array>()
  return (piece, out) => {
    let tokens = known.get(piece)
    if (!tokens) {
      tokens = tokensOf(piece)
      if (piece.length <= REMEMBERED_LENGTH) {
        if (known.size >= REMEMBERED_PIECES) known.clear()
        known.set(piece, tokens)
      }
    }
    for (let i = 0; i < tokens.length; i++) out.push(tokens[i])
  }
}
