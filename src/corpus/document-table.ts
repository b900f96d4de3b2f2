import { rename } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { sqlString, withDatabase } from '../formats/duckdb.js'
import { storageError } from '../storage/atomic-file.js'
import type { DocumentRecord } from './document.js'

/** Name of the document table in a corpus directory. */
export const DOCUMENTS_FILE = 'documents.parquet'

/**
 * Writes the documents as Parquet: document i32, kind, source, split, token_start i64, token_count i32, bytes i32.
 * @throws MonosemError io
 */
export async function writeDocuments(path: string, documents: readonly DocumentRecord[]): Promise<void> {
  const temporary = `${path}.tmp`
  try {
    await withDatabase(async (connection) => {
      await connection.run(
        `CREATE TABLE documents (document INTEGER, kind VARCHAR, source VARCHAR, split VARCHAR,
           token_start BIGINT, token_count INTEGER, bytes INTEGER)`,
      )
      const appender = await connection.createAppender('documents')
      for (const row of documents) {
        appender.appendInteger(row.document)
        appender.appendVarchar(row.kind)
        appender.appendVarchar(row.source)
        appender.appendVarchar(row.split)
        appender.appendBigInt(BigInt(row.tokenStart))
        appender.appendInteger(row.tokenCount)
        appender.appendInteger(row.bytes)
        appender.endRow()
      }
      appender.closeSync()
      await connection.run(`COPY documents TO ${sqlString(temporary)} (FORMAT parquet)`)
    })
    await rename(temporary, path)
  } catch (cause) {
    // DuckDB reports a full disk in words only.
    const full = /no space left/i.test(String(cause))
    throw storageError(
      'write',
      path,
      full ? Object.assign(new Error(String(cause)), { code: 'ENOSPC' }) : cause,
    )
  }
}

/**
 * Reads what writeDocuments wrote, in order of the document id.
 * @throws MonosemError format
 */
export async function readDocuments(path: string): Promise<DocumentRecord[]> {
  const rows = await withDatabase(async (connection) => {
    const reader = await connection.runAndReadAll(
      `SELECT document, kind, source, split, token_start, token_count, bytes
       FROM read_parquet(${sqlString(path)}) ORDER BY document`,
    )
    return reader.getRows()
  }).catch((cause: unknown) => {
    throw new MonosemError('format', `${path}: expected the document table of a corpus`, { cause })
  })
  return rows.map(([document, kind, source, split, tokenStart, tokenCount, bytes]) => ({
    document: Number(document),
    kind: String(kind),
    source: String(source),
    split: split === 'validation' ? 'validation' : 'train',
    tokenStart: Number(tokenStart),
    tokenCount: Number(tokenCount),
    bytes: Number(bytes),
  }))
}
