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
  for await (const { cells, place } of readColumns(request, [{ name: request.field }]))
    if (cells[0] !== null) yield { text: cells[0], place }
}

/** A column to read. */
export interface TableColumn {
  name: string
  /** numbers and truth values are taken as text; by default a column that is no text is an error */
  anyType?: boolean
}

/** The cells of one row, null where they are empty. */
export interface TableRow {
  cells: (string | null)[]
  /** number of the row, from 1 */
  place: string
}

/** Reads several columns, as `readTable` does one. */
export async function* readColumns(
  request: Omit<ReadRequest, 'field'>,
  columns: readonly TableColumn[],
): AsyncGenerator<TableRow> {
  const isCsv = !request.path.toLowerCase().endsWith('.parquet')
  const database = await openDatabase()
  try {
    try {
      await refuseBinaryCsv(request)
      yield* readRows(
        database.connection,
        request,
        isCsv ? csvTable(request) : parquetTable(request),
        columns,
      )
    } catch (cause) {
      request.bad('files with bad tables', cause instanceof MonosemError ? cause : tableError(request, cause))
      return
    }
    if (isCsv) await reportRejects(database.connection, request)
  } finally {
    database.close()
  }
}

type TableRequest = Omit<ReadRequest, 'field'>

const csvTable = ({ path }: TableRequest): string =>
  `read_csv(${sqlString(path)}, header = true, delim = ',', quote = '"', escape = '"', all_varchar = true,
     store_rejects = true, max_line_size = ${MAX_LINE_BYTES})`

const parquetTable = ({ path }: TableRequest): string => `read_parquet(${sqlString(path)})`

const tableError = ({ name }: TableRequest, cause: unknown): MonosemError =>
  formatError(`${name}: ${String(cause instanceof Error ? cause.message : cause).split('\n')[0]}`, cause)

async function* readRows(
  connection: DuckDBConnection,
  request: TableRequest,
  table: string,
  columns: readonly TableColumn[],
): AsyncGenerator<TableRow> {
  const found = (await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${table}`)).getRows()
  for (const { name, anyType } of columns) {
    const column = found.find(([other]) => other === name)
    if (!column)
      throw missingField(
        request.name,
        name,
        found.map(([other]) => String(other)),
      )
    if (column[1] !== 'VARCHAR' && !anyType)
      throw formatError(`${request.name}: expected field "${name}" to be text, got ${column[1]}`)
  }
  const list = columns.map(({ name }) => `CAST(${sqlName(name)} AS VARCHAR)`).join(', ')
  const result = await connection.stream(`SELECT ${list} FROM ${table}`)
  let row = 0
  for (;;) {
    const chunk = await result.fetchChunk()
    if (!chunk || chunk.rowCount === 0) return
    const values = columns.map((_, i) => chunk.getColumnValues(i))
    for (let i = 0; i < chunk.rowCount; i++) {
      row++
      const cells = values.map((column) => (typeof column[i] === 'string' ? column[i] : null))
      yield { cells: cells as (string | null)[], place: String(row) }
    }
  }
}

/** A zero byte near the start of a .csv means that it is something else. */
async function refuseBinaryCsv({ path, name }: TableRequest): Promise<void> {
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

async function reportRejects(connection: DuckDBConnection, request: TableRequest): Promise<void> {
  const rejects = await connection.runAndReadAll(
    'SELECT DISTINCT ON (line) line, error_message FROM reject_errors ORDER BY line',
  )
  for (const [line, message] of rejects.getRows()) {
    const text = String(message).split('\n')[0]
    request.bad('bad rows', formatError(`${request.name}:${line}: ${text}`))
  }
}
