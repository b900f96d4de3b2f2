import { open } from 'node:fs/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { MonosemError } from '../errors/monosem-error.js'
import { openDatabase, sqlName, sqlString } from '../formats/duckdb.js'
import { storageError } from '../storage/atomic-file.js'
import { type FoundText, formatError, missingField, type ReadRequest } from './reader.js'

/** A CSV row may be this long. */
const MAX_LINE_BYTES = 16 * 2 ** 20

/**
 * Reads one column of a .csv or .csv.gz (comma-separated, with a header row) or .parquet file through DuckDB, chunk by
 * chunk. Empty cells are passed over. CSV rows that do not parse go to `request.bad` one by one.
 */
export async function* readTable(request: ReadRequest): AsyncGenerator<FoundText> {
  const isCsv = !request.path.toLowerCase().endsWith('.parquet')
  const database = await openDatabase()
  try {
    try {
      await refuseBinaryCsv(request)
      yield* readColumn(database.connection, request, isCsv ? csvTable(request) : parquetTable(request))
    } catch (cause) {
      request.bad('files with bad tables', cause instanceof MonosemError ? cause : tableError(request, cause))
      return
    }
    if (isCsv) await reportRejects(database.connection, request)
  } finally {
    database.close()
  }
}

const csvTable = ({ path }: ReadRequest): string =>
  `read_csv(${sqlString(path)}, header = true, delim = ',', quote = '"', escape = '"', all_varchar = true,
     store_rejects = true, max_line_size = ${MAX_LINE_BYTES})`

const parquetTable = ({ path }: ReadRequest): string => `read_parquet(${sqlString(path)})`

const tableError = ({ name }: ReadRequest, cause: unknown): MonosemError =>
  formatError(`${name}: ${String(cause instanceof Error ? cause.message : cause).split('\n')[0]}`, cause)

async function* readColumn(
  connection: DuckDBConnection,
  request: ReadRequest,
  table: string,
): AsyncGenerator<FoundText> {
  const columns = (await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${table}`)).getRows()
  const column = columns.find(([name]) => name === request.field)
  if (!column)
    throw missingField(
      request.name,
      request.field,
      columns.map(([name]) => String(name)),
    )
  if (column[1] !== 'VARCHAR')
    throw formatError(`${request.name}: expected field "${request.field}" to be text, got ${column[1]}`)
  const result = await connection.stream(`SELECT ${sqlName(request.field)} FROM ${table}`)
  let row = 0
  for (;;) {
    const chunk = await result.fetchChunk()
    if (!chunk || chunk.rowCount === 0) return
    for (const value of chunk.getColumnValues(0)) {
      row++
      if (typeof value === 'string') yield { text: value, place: String(row) }
    }
  }
}

/** A zero byte near the start of a .csv means that it is something else. */
async function refuseBinaryCsv({ path, name }: ReadRequest): Promise<void> {
  if (!path.toLowerCase().endsWith('.csv')) return
  const handle = await open(path).catch((cause) => Promise.reject(storageError('open', path, cause)))
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(65536), 0, 65536, 0)
    const nul = buffer.subarray(0, bytesRead).indexOf(0)
    if (nul >= 0) throw formatError(`${name}: expected text, got binary data (a zero byte at offset ${nul})`)
  } finally {
    await handle.close()
  }
}

async function reportRejects(connection: DuckDBConnection, request: ReadRequest): Promise<void> {
  const rejects = await connection.runAndReadAll(
    'SELECT DISTINCT ON (line) line, error_message FROM reject_errors ORDER BY line',
  )
  for (const [line, message] of rejects.getRows()) {
    const text = String(message).split('\n')[0]
    request.bad('bad rows', formatError(`${request.name}:${line}: ${text}`))
  }
}
