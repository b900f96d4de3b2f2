/** One text of a corpus, before it becomes tokens. */
export interface CorpusDocument {
  /** what sort of text it is: "docs", "code", "messages-de", "text-ar", "dna", "base64", "hex", or "text" for a user's own */
  kind: string
  /** where it comes from: a path (with line or row), or the name of the generator */
  source: string
  /** documents of one group (pieces of one file) always land in the same split */
  group: string
  text: string
}

/** One row of documents.parquet. */
export interface DocumentRecord {
  /** id, counted from 0 over both splits */
  document: number
  /** what sort of text it is, see CorpusDocument */
  kind: string
  source: string
  split: 'train' | 'validation'
  /** index of the document's `<|endoftext|>` in the tokens of its split */
  tokenStart: number
  /** tokens of the document, its `<|endoftext|>` included */
  tokenCount: number
  /** bytes of the text in UTF-8 */
  bytes: number
}

/** A corpus that can be read more than once, always with the same documents in the same order. */
export type DocumentSource = () => AsyncIterable<CorpusDocument> | Iterable<CorpusDocument>

/** Bytes of a text in UTF-8. */
export const utf8Length = (text: string): number => Buffer.byteLength(text, 'utf8')

/** Lets timers, signals and progress bars run in the middle of long synchronous work. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Cuts a long text into pieces of at most `maxBytes` bytes of UTF-8: at empty lines where there are any, else at line
 * ends, else between characters. The pieces joined are the text.
 */
export function splitLongText(text: string, maxBytes: number): string[] {
  if (utf8Length(text) <= maxBytes) return [text]
  for (const separator of [/(?<=\n[ \t]*\n)/, /(?<=\n)/]) {
    const parts = text.split(separator)
    if (parts.length > 1) return packParts(parts, maxBytes)
  }
  const half = text.length >> 1
  const cut = text.charCodeAt(half) >= 0xdc00 && text.charCodeAt(half) < 0xe000 ? half + 1 : half
  return [...splitLongText(text.slice(0, cut), maxBytes), ...splitLongText(text.slice(cut), maxBytes)]
}

function packParts(parts: string[], maxBytes: number): string[] {
  const pieces: string[] = []
  let current: string[] = []
  let bytes = 0
  const flush = () => {
    if (current.length > 0) pieces.push(current.join(''))
    current = []
    bytes = 0
  }
  for (const part of parts) {
    const size = utf8Length(part)
    if (bytes + size > maxBytes) flush()
    if (size > maxBytes) pieces.push(...splitLongText(part, maxBytes))
    else {
      current.push(part)
      bytes += size
    }
  }
  flush()
  return pieces
}
