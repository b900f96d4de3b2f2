import {
  BOOLEAN,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  INTEGER,
  LIST,
  listValue,
  SMALLINT,
} from '@duckdb/node-api'
import { openDatabase, sqlString } from '../formats/duckdb.js'
import { storageError } from '../storage/atomic-file.js'

/** A column of a table and its type. */
export type Columns = Record<string, DuckDBType>

/** features.parquet: one row per feature, by id. */
export const featureColumns: Columns = {
  feature: INTEGER,
  /** tokens on which it fired, and their share of the sample */
  fires: DOUBLE,
  density: DOUBLE,
  max: FLOAT,
  /** mean activation over the tokens on which it fired; null when it never did */
  mean: FLOAT,
  /** at least 99% of its fires are on one token of the vocabulary */
  single_token: BOOLEAN,
  /** 64 linear bins over (0, histogram_range] */
  histogram_range: DOUBLE,
  histogram: LIST(INTEGER),
  top_tokens: LIST(INTEGER),
  top_logits: LIST(FLOAT),
  bottom_tokens: LIST(INTEGER),
  bottom_logits: LIST(FLOAT),
  /** the most activation that may be missing from any row of tokens.parquet; 0: it is exact */
  tokens_missed: DOUBLE,
}

/** tokens.parquet: the tokens on which a feature is most active, by feature, then activation_sum, largest first. */
export const tokenColumns: Columns = {
  feature: INTEGER,
  rank: SMALLINT,
  token: INTEGER,
  /** text positions with this token on which the feature fired, and all with this token */
  active: INTEGER,
  occurrences: INTEGER,
  activation_sum: DOUBLE,
  /** P(fires | token) / P(fires) */
  lift: DOUBLE,
}

/**
 * examples.parquet: one row per example, by feature, then group (top first, then the highest interval), then
 * rank.
 */
export const exampleColumns: Columns = {
  feature: INTEGER,
  /** -1 for the top examples, else the interval that the example was drawn from */
  interval: SMALLINT,
  /** 0 is the largest activation of its group */
  rank: SMALLINT,
  activation: FLOAT,
  document: INTEGER,
  /** index of the example's token in its document, <|endoftext|> being 0 */
  position: INTEGER,
  /** index of the example's token in `tokens` */
  token_index: SMALLINT,
  tokens: LIST(INTEGER),
  activations: LIST(FLOAT),
}

/** The value of `interval` for top examples. */
export const topGroup = -1

/** Rows on their way into a Parquet file. */
export interface TableWriter {
  /** One value per column, in the order of the columns; numeric arrays become lists. */
  add(row: readonly (number | boolean | null | ArrayLike<number>)[]): void
  /** Writes the file and gives everything back. */
  close(): Promise<void>
}

const chunkRows = 2048

/**
 * Collects rows in memory with DuckDB and writes them, in the order added, as a Parquet file. One thread: the
 * bytes must not depend on the machine.
 * @throws MonosemError io (at `close`)
 */
export async function createTableWriter(path: string, columns: Columns): Promise<TableWriter> {
  const { connection, close } = await openDatabase()
  const definition = Object.entries(columns).map(([name, type]) => `"${name}" ${type.toString()}`)
  await connection.run(`CREATE TABLE rows (${definition.join(', ')})`)
  const appender = await connection.createAppender('rows')
  const types = Object.values(columns)
  let pending: DuckDBValue[][] = types.map(() => [])
  const flush = () => {
    const count = pending[0].length
    if (count === 0) return
    const chunk = DuckDBDataChunk.create(types, count)
    chunk.setColumns(pending)
    appender.appendDataChunk(chunk)
    pending = types.map(() => [])
  }
  return {
    add: (row) => {
      row.forEach((value, i) => {
        pending[i].push(typeof value === 'object' && value !== null ? listValue(Array.from(value)) : value)
      })
      if (pending[0].length === chunkRows) flush()
    },
    close: async () => {
      try {
        flush()
        appender.closeSync()
        await writeParquet(connection, path)
      } finally {
        close()
      }
    },
  }
}

async function writeParquet(connection: DuckDBConnection, path: string): Promise<void> {
  try {
    // Small row groups let a reader skip to one feature.
    await connection.run(
      `COPY rows TO ${sqlString(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 16384)`,
    )
  } catch (cause) {
    throw storageError('write', path, cause)
  }
}
