import type { Communicator } from '../distributed/communicator.js'
import { inOrder } from '../distributed/in-order.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type CorpusDocument, type DocumentSource, utf8Length } from './document.js'
import type { Tokenizer } from './tokenizer.js'

/** A document as tokens, without the one that stands before it. */
export interface EncodedDocument extends Pick<CorpusDocument, 'kind' | 'source'> {
  tokens: Int32Array
}

export interface EncodeOptions {
  /** of every document in UTF-8, as an earlier pass found it, [documents] */
  bytes: readonly number[]
  tokenizer: Tokenizer
  ranks: Communicator
  /** called now and then; may throw to stop */
  pause: () => Promise<void>
}

/** A rank encodes about this much text at a time, in bytes. */
const stretchBytes = 256_000

/**
 * Encodes documents and gives them in order, on rank 0. Ranks take turns with stretches of them; every rank reads all texts.
 * @throws MonosemError corrupt (the text is not what the earlier pass found); what `source` and `pause` throw
 */
export async function* encodeDocuments(
  source: DocumentSource,
  { bytes, tokenizer, ranks, pause }: EncodeOptions,
): AsyncGenerator<EncodedDocument> {
  const ends = stretchEnds(bytes)
  const documents = readDocuments(source, bytes, pause)
  let read = 0
  const next = async (): Promise<CorpusDocument> => {
    read++
    return (await documents.next()).value as CorpusDocument
  }
  const encode = async (stretch: number): Promise<EncodedDocument[]> => {
    while (read < (ends[stretch - 1] ?? 0)) await next()
    const encoded: EncodedDocument[] = []
    while (read < ends[stretch]) {
      const { kind, source, text } = await next()
      encoded.push({ kind, source, tokens: tokenizer.encode(text) })
    }
    return encoded
  }
  try {
    for await (const encoded of inOrder(ranks, ends.length, encode)) yield* encoded
    // those behind our last stretch, and whether there are more than there should be
    while (!(await documents.next()).done);
  } finally {
    await documents.return(undefined)
  }
}

/** Where stretches of documents end: the first document that is no longer theirs. */
function stretchEnds(bytes: readonly number[]): number[] {
  const ends: number[] = []
  let size = 0
  for (const [document, length] of bytes.entries()) {
    size += length
    if (size < stretchBytes && document + 1 < bytes.length) continue
    ends.push(document + 1)
    size = 0
  }
  return ends
}

/** The documents of a source, as long as they are those of the earlier pass. */
async function* readDocuments(
  source: DocumentSource,
  bytes: readonly number[],
  pause: () => Promise<void>,
): AsyncGenerator<CorpusDocument, undefined> {
  let count = 0
  for await (const document of source()) {
    if (count % 32 === 0) await pause()
    if (utf8Length(document.text) !== bytes[count++]) throw changedUnderway(document.source)
    yield document
  }
  if (count !== bytes.length) throw changedUnderway('the text')
}

const changedUnderway = (name: string): MonosemError =>
  new MonosemError('corrupt', `corpus: ${name} changed while it was read`, {
    hint: 'run the command again; on several ranks, with the same files on all nodes',
  })
