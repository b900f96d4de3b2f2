import type { TokenSplit } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import { documentRange, tokenizedText } from './document-text.js'
import { markTokens, type Predicate } from './predicates.js'

/**
 * Says which tokens of a split a predicate holds on, for tokens asked for in ascending order. Remembers one document at a time.
 */
export type TokenLabeller = (token: number) => boolean

/**
 * @throws MonosemError (from the labeller) what the predicate threw, with the document's number in front
 */
export function createTokenLabeller(
  split: TokenSplit,
  tokenizer: Pick<Tokenizer, 'tokenBytes'>,
  predicate: Predicate,
): TokenLabeller {
  let document = -1
  let range = { first: 0, end: 0 }
  let marks = new Uint8Array(0)
  return (token) => {
    if (token >= range.end) {
      while (document < 0 || token >= documentRange(split, document).end) document++
      range = documentRange(split, document)
      marks = markDocument(split, range, document, tokenizer, predicate)
    }
    return marks[token - range.first] === 1
  }
}

/** Asks about all tokens of windows, which come in ascending order: [windows * size] of 0 and 1. */
export function markWindows(holds: TokenLabeller, windows: Int32Array, size: number): Uint8Array {
  const marks = new Uint8Array(windows.length * size)
  for (const [w, window] of windows.entries())
    for (let t = 0; t < size; t++) marks[w * size + t] = holds(window * size + t) ? 1 : 0
  return marks
}

function markDocument(
  split: TokenSplit,
  { first, end }: { first: number; end: number },
  document: number,
  tokenizer: Pick<Tokenizer, 'tokenBytes'>,
  predicate: Predicate,
): Uint8Array<ArrayBuffer> {
  const text = tokenizedText(split.tokens.subarray(first, end), tokenizer)
  try {
    return markTokens(predicate, text) as Uint8Array<ArrayBuffer>
  } catch (cause) {
    if (!(cause instanceof MonosemError)) throw cause
    const place = `document ${split.documentIds[document]} (${split.name} text)`
    throw new MonosemError(cause.code, `${cause.message}, on ${place}`, { cause, hint: cause.hint })
  }
}
