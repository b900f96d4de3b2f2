import { join } from 'node:path'
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
import type { OpenStage } from '../storage/open-stage.js'

/**
 * Features per Parquet file: each table is cut into files of consecutive features, because finding one feature takes time in proportion to
 * the file's list of row groups, and because a file's rows are held in memory until it is written.
 */
export const shardFeatures = 512

export type TableName = 'features' | 'tokens' | 'examples'

/** Name of a table's file with number `shard`, e.g. features-0003.parquet. */
const shardFile = (table: TableName, shard: number): string =>
  `${table}-${String(shard).padStart(4, '0')}.parquet`

/** How many files a table of F features has. */
export const shardCount = (features: number): number => Math.ceil(features / shardFeatures)

/** The files of a table of F features in a finished `features` directory, in order, checked against their hashes. */
export function tableFiles(
  stage: Pick<OpenStage<unknown>, 'file'>,
  table: TableName,
  features: number,
): Promise<string[]> {
  const shards = Array.from({ length: shardCount(features) }, (_, shard) => shard)
  return Promise.all(shards.map((shard) => stage.file(shardFile(table, shard))))
}

/** SQL that reads Parquet files as one table. */
export const readParquet = (paths: readonly string[]): string => `read_parquet([${paths.map(sqlString)}])`

/** A column of a table and its type. */
export type Columns = Record<string, DuckDBType>

/** features-*.parquet: one row per feature, by id. */
export const featureColumns = {
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
  /** activations at the probabilities in features.json; empty when it never fired */
  quantiles: LIST(FLOAT),
  top_tokens: LIST(INTEGER),
  top_logits: LIST(FLOAT),
  bottom_tokens: LIST(INTEGER),
  bottom_logits: LIST(FLOAT),
  /** moments of the logit weights over the vocabulary; null where there are none */
  logit_mean: FLOAT,
  logit_deviation: FLOAT,
  logit_skewness: FLOAT,
  logit_kurtosis: FLOAT,
  /** 64 equal bins over [logit_low, logit_high] */
  logit_low: FLOAT,
  logit_high: FLOAT,
  logit_histogram: LIST(INTEGER),
  /** neurons that the decoder row writes to most: entry, and its size as a share of the row's L1 norm */
  aligned_neurons: LIST(INTEGER),
  aligned_values: LIST(FLOAT),
  aligned_l1: LIST(FLOAT),
  /** neurons that go with it over the text */
  correlated_neurons: LIST(INTEGER),
  correlated_pearson: LIST(FLOAT),
  correlated_cosine: LIST(FLOAT),
  /** features that fire together with it */
  co_active: LIST(INTEGER),
  co_active_counts: LIST(INTEGER),
  co_active_jaccard: LIST(FLOAT),
  co_active_pearson: LIST(FLOAT),
  co_active_cosine: LIST(FLOAT),
  /** the most fires that may be missing from any of co_active_counts; 0: they are exact */
  co_active_missed: DOUBLE,
  /** the most activation that may be missing from any row of the token table; 0: it is exact */
  tokens_missed: DOUBLE,
}

/** tokens-*.parquet: the tokens on which a feature is most active, by feature, then activation_sum, largest first. */
export const tokenColumns = {
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
 * examples-*.parquet: one row per example, by feature, then group (top first, then the highest interval), then
 * rank.
 */
export const exampleColumns = {
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

/** One value per column. */
export type Row<C extends Columns> = Record<
  keyof C,
  number | string | boolean | null | ArrayLike<number | string>
>

/** Rows on their way into a Parquet file. */
export interface TableWriter<C extends Columns> {
  /** Adds a row; arrays become lists. */
  add(row: Row<C>): void
  /** Writes the file and gives everything back. */
  close(): Promise<void>
}

const chunkRows = 2048

/**
 * Collects rows in memory with DuckDB and writes them, in the order added, as a Parquet file. One thread: the
 * bytes must not depend on the machine.
 * @throws MonosemError io (at `close`)
 */
export async function createTableWriter<C extends Columns>(
  path: string,
  columns: C,
): Promise<TableWriter<C>> {
  const { connection, close } = await openDatabase()
  const definition = Object.entries(columns).map(([name, type]) => `"${name}" ${type.toString()}`)
  await connection.run(`CREATE TABLE rows (${definition.join(', ')})`)
  const appender = await connection.createAppender('rows')
  const names = Object.keys(columns)
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
      names.forEach((name, i) => {
        const value = row[name]
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

/** Writers of the tables of one shard. */
export async function createFeatureTables(directory: string, shard: number) {
  const path = (table: TableName): string => join(directory, shardFile(table, shard))
  return {
    features: await createTableWriter(path('features'), featureColumns),
    tokens: await createTableWriter(path('tokens'), tokenColumns),
    examples: await createTableWriter(path('examples'), exampleColumns),
  }
}

async function writeParquet(connection: DuckDBConnection, path: string): Promise<void> {
  try {
    // Small row groups let a reader skip to one feature.
    await connection.run(
      `COPY rows TO ${sqlString(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)`,
    )
  } catch (cause) {
    throw storageError('write', path, cause)
  }
}
