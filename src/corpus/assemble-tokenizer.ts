import { MonosemError } from '../errors/monosem-error.js'
import { readableBytes } from './readable-bytes.js'

/** Text to tokens and back. */
export interface Tokenizer {
  /** V: ids are below it; special tokens and rows of the model's embedding without a token are included */
  vocabularySize: number
  /** id of the token that stands before every document and prompt: BOS where the model has one, else `endOfText` */
  startOfText: number
  /** id of the token that ends a text; in tokenizers that Monosem trains `<|endoftext|>`, which is `startOfText` too */
  endOfText: number
  /** ids of all tokens at which the model ends a text, `endOfText` among them */
  endTokens: ReadonlySet<number>
  /** ids of the tokens that stand for no text, such as `startOfText` and `endOfText` */
  specialTokens: ReadonlySet<number>
  /**
   * Tokens of a text. Adds no special token and never makes one: the characters `<|endoftext|>` inside a text become
   * ordinary tokens, so that a document cannot pretend to end.
   */
  encode(text: string): Int32Array
  /**
   * Tokens exactly as Hugging Face's `tokenizers` gives them by default: the name of a special token in the text becomes that token, and
   * those that the model wants around a text (often BOS) are added.
   */
  encodeWithSpecialTokens(text: string): Int32Array
  /**
   * Text of tokens, as Hugging Face's `tokenizers` decodes them; bytes that are not valid UTF-8 become U+FFFD. Tokenizers in SentencePiece's
   * manner drop the space of a first word: for pieces of a text join `tokenBytes`.
   * @param options skipSpecialTokens: leaves them out; default false, which shows their names
   */
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string
  /**
   * UTF-8 bytes that a token stands for; the characters of its name for a special token; none for a row of the embedding
   * without a token.
   */
  tokenBytes(id: number): Uint8Array
  /** A token for people: stray bytes of an incomplete character as ⟨d8⟩, newline as ↵, tab as ⇥, controls as ⟨07⟩. */
  tokenText(id: number): string
  /** the tokenizer.json it was made from */
  json: string
  /** the tokenizer_config.json that has to stand beside it to make this tokenizer again; null where it says everything itself */
  configJson: string | null
}

/** What the kinds of tokenizers differ in. */
export interface TokenizerParts
  extends Pick<
    Tokenizer,
    | 'vocabularySize'
    | 'startOfText'
    | 'endOfText'
    | 'encode'
    | 'encodeWithSpecialTokens'
    | 'json'
    | 'configJson'
  > {
  /** bytes of a token; none for an id without one */
  bytes(id: number): Uint8Array
  special: ReadonlySet<number>
  /** ids besides `endOfText` at which the model ends a text */
  moreEnds?: readonly number[]
  /** text of tokens, all of them shown */
  decode(ids: number[]): string
}

/** Adds what all tokenizers do alike: checks of ids, tokens for people. */
export function assembleTokenizer(parts: TokenizerParts): Tokenizer {
  const { bytes, special, vocabularySize } = parts
  const check = (id: number): number => {
    if (Number.isInteger(id) && id >= 0 && id < vocabularySize) return id
    throw new MonosemError(
      'shape',
      `tokenizer: expected a token id from 0 to ${vocabularySize - 1}, got ${id}`,
    )
  }
  const tokenBytes = (id: number) => bytes(check(id))
  /** Lists of features show the same few thousand tokens again and again. */
  const texts: (string | undefined)[] = []
  const tokenText = (id: number): string => {
    const own = tokenBytes(id)
    const text = texts[id] ?? (own.length === 0 ? `⟨no token ${id}⟩` : readableBytes(own))
    texts[id] = text
    return text
  }
  return {
    vocabularySize,
    startOfText: parts.startOfText,
    endOfText: parts.endOfText,
    endTokens: new Set([parts.endOfText, ...(parts.moreEnds ?? [])]),
    specialTokens: special,
    encode: parts.encode,
    encodeWithSpecialTokens: parts.encodeWithSpecialTokens,
    decode: (ids, { skipSpecialTokens = false } = {}) => {
      const checked = Array.from(ids, check)
      return parts.decode(skipSpecialTokens ? checked.filter((id) => !special.has(id)) : checked)
    },
    tokenBytes,
    tokenText,
    json: parts.json,
    configJson: parts.configJson,
  }
}
