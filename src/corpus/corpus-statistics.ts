import type { DocumentRecord } from './document.js'

/** Size of a part of the corpus. */
export interface CorpusCounts {
  documents: number
  /** UTF-8 */
  bytes: number
  /** with one `<|endoftext|>` per document */
  tokens: number
  bytesPerToken: number
}

/** Content of corpus.json. */
export interface CorpusStatistics {
  vocabularySize: number
  splits: Record<'train' | 'validation', CorpusCounts>
  /** by kind of document, both splits together */
  kinds: Record<string, CorpusCounts>
  /** what was left out, by reason; only with skipBad */
  skipped: Record<string, number>
}

/** Adds up the documents by split and by kind (largest kind first). */
export function createStatistics(
  records: readonly DocumentRecord[],
  vocabularySize: number,
  skipped: Record<string, number>,
): CorpusStatistics {
  const kinds = [...new Set(records.map((record) => record.kind))]
    .map((kind) => [kind, count(records.filter((record) => record.kind === kind))] as const)
    .sort(([, a], [, b]) => b.bytes - a.bytes)
  return {
    vocabularySize,
    splits: {
      train: count(records.filter((record) => record.split === 'train')),
      validation: count(records.filter((record) => record.split === 'validation')),
    },
    kinds: Object.fromEntries(kinds),
    skipped,
  }
}

function count(records: readonly DocumentRecord[]): CorpusCounts {
  const bytes = records.reduce((sum, record) => sum + record.bytes, 0)
  const tokens = records.reduce((sum, record) => sum + record.tokenCount, 0)
  return { documents: records.length, bytes, tokens, bytesPerToken: tokens > 0 ? bytes / tokens : 0 }
}
