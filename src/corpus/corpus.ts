import { MonosemError } from '../errors/monosem-error.js'
import { type OpenStage, openStage } from '../storage/open-stage.js'
import type { CorpusConfig } from './corpus-config.js'
import type { DocumentRecord } from './document.js'
import { DOCUMENTS_FILE, readDocuments } from './document-table.js'
import { readShards } from './token-shards.js'
import { loadTokenizer, type Tokenizer } from './tokenizer.js'
import { TOKENIZER_CONFIG_FILE } from './tokenizer-source.js'

export type { DocumentRecord } from './document.js'

/** The tokens of one split, every document as `<|endoftext|>` followed by its tokens. */
export interface TokenSplit {
  name: 'train' | 'validation'
  /** [tokens] */
  tokens: Uint16Array | Uint32Array
  /** index of each document's first token (its `<|endoftext|>`), ascending, [documents] */
  documentStarts: Int32Array
  /** DocumentRecord.document of each document, [documents] */
  documentIds: Int32Array
  /** bytes of text in UTF-8 */
  bytes: number
}

/** A finished corpus directory in memory. */
export interface TokenCorpus {
  directory: string
  tokenizer: Tokenizer
  train: TokenSplit
  validation: TokenSplit
  /** All documents in order of their id. */
  documents(): Promise<DocumentRecord[]>
}

/**
 * Opens the directory that the corpus stage wrote; every file's hash is checked.
 * @throws MonosemError missing (no finished corpus), corrupt (a file was changed or cut), format
 */
export async function openCorpus(directory: string): Promise<TokenCorpus> {
  const stage = await openStage<CorpusConfig>(directory, 'corpus')
  const tokenizer = await loadStageTokenizer(stage)
  const documents = await readDocuments(await stage.file(DOCUMENTS_FILE))
  return {
    directory: stage.directory,
    tokenizer,
    train: await openSplit(stage, 'train', tokenizer, documents),
    validation: await openSplit(stage, 'validation', tokenizer, documents),
    documents: async () => documents,
  }
}

/** The tokenizer that a stage wrote with `writeTokenizer`; hashes are checked. @throws MonosemError missing, corrupt, format */
export async function loadStageTokenizer(stage: OpenStage<unknown>): Promise<Tokenizer> {
  if (TOKENIZER_CONFIG_FILE in stage.manifest.files) await stage.file(TOKENIZER_CONFIG_FILE)
  return loadTokenizer(await stage.file('tokenizer.json'))
}

async function openSplit(
  stage: OpenStage<CorpusConfig>,
  name: 'train' | 'validation',
  tokenizer: Tokenizer,
  documents: DocumentRecord[],
): Promise<TokenSplit> {
  const tokens = await readShards(stage, name)
  const own = documents.filter((document) => document.split === name)
  const documentStarts = Int32Array.from(own, (document) => document.tokenStart)
  const total = own.reduce((sum, document) => sum + document.tokenCount, 0)
  const ids = tokens.every((id) => id < tokenizer.vocabularySize)
  if (total !== tokens.length || !ids || documentStarts.some((at) => tokens[at] !== tokenizer.startOfText))
    throw new MonosemError(
      'corrupt',
      `${stage.directory}: the ${name} tokens and ${DOCUMENTS_FILE} disagree`,
      {
        hint: `remove ${stage.directory} and make it again`,
      },
    )
  return {
    name,
    tokens,
    documentStarts,
    documentIds: Int32Array.from(own, (document) => document.document),
    bytes: own.reduce((sum, document) => sum + document.bytes, 0),
  }
}
