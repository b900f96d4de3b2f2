import { loadStageTokenizer } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type Database, openDatabase } from '../formats/duckdb.js'
import { requireFeature } from '../sae/require-feature.js'
import { openStage } from '../storage/open-stage.js'
import type { FeaturesSummary } from './build-features.js'
import type { FeatureDetail, FeatureRow } from './feature-detail.js'
import { readParquet, shardFeatures, type TableName, tableFiles, topGroup } from './feature-tables.js'
import { detailOf, listedFeature, type StoredRow } from './stored-feature.js'

export type * from './feature-detail.js'

export type FeatureSort = 'id' | 'density' | 'max' | 'mean'

export interface ListOptions {
  /** default 'density' */
  sort?: FeatureSort
  /** default: true, except for 'id' */
  descending?: boolean
  /** default 20 */
  limit?: number
  /** rows to skip; default 0 */
  offset?: number
  /** only features at least this dense; default 0 (dead features too) */
  minDensity?: number
  /** only features at most this dense; default 1 */
  maxDensity?: number
  /** only features that are single-token, or only those that are not; default: both */
  singleToken?: boolean
}

/** A finished `features` directory, open for queries. */
export interface FeatureStore {
  summary: FeaturesSummary
  tokenizer: Tokenizer
  /** the Parquet files of each table, in order of the features, checked against their hashes */
  files: Record<TableName, readonly string[]>
  list(options?: ListOptions): Promise<FeatureRow[]>
  /** @throws MonosemError missing, when there is no such feature */
  get(feature: number): Promise<FeatureDetail>
  /**
   * Several features at once, in the order asked for: one query per table and file, so much faster than one by one. All are in memory
   * together, at up to a few hundred KB each.
   * @throws MonosemError missing, when one of them is not there
   */
  getMany(features: readonly number[]): Promise<FeatureDetail[]>
  close(): void
}

/**
 * Opens a `features` directory; its files are checked against their hashes.
 * @throws MonosemError missing (not a finished features directory), corrupt
 */
export async function openFeatureStore(directory: string): Promise<FeatureStore> {
  const stage = await openStage(directory, 'features')
  const summary = await stage.json<FeaturesSummary>('features.json')
  const tokenizer = await loadStageTokenizer(stage)
  const openTable = async (name: TableName): Promise<Table> => ({
    paths: await tableFiles(stage, name, summary.features),
    ...(await openDatabase()),
  })
  const tables: Tables = {
    features: await openTable('features'),
    tokens: await openTable('tokens'),
    examples: await openTable('examples'),
  }
  return {
    summary,
    tokenizer,
    files: {
      features: tables.features.paths,
      tokens: tables.tokens.paths,
      examples: tables.examples.paths,
    },
    list: (options = {}) => listFeatures(tables, options),
    get: async (feature) => (await getFeatures(tables, summary, [feature]))[0],
    getMany: (features) => getFeatures(tables, summary, features),
    close: () => {
      for (const { close } of Object.values(tables)) close()
    },
  }
}

/** A table's files, in order of the features, and a database of its own: so a feature's rows are looked up in all tables at once. */
interface Table extends Database {
  paths: string[]
}

type Tables = Record<TableName, Table>

async function query({ connection }: Table, sql: string, values: number[] = []): Promise<StoredRow[]> {
  const reader = await connection.runAndReadAll(sql, values)
  return reader.getRowObjectsJS() as StoredRow[]
}

const sortColumns: Record<FeatureSort, string> = {
  id: 'feature',
  density: 'density',
  max: 'max',
  mean: 'mean',
}

async function listFeatures(tables: Tables, options: ListOptions): Promise<FeatureRow[]> {
  const { sort = 'density', limit = 20, offset = 0, minDensity = 0, maxDensity = 1 } = options
  const column = sortColumns[sort]
  if (!column)
    throw new MonosemError('config', `sort: expected ${Object.keys(sortColumns).join(', ')}, got ${sort}`)
  for (const [name, value] of Object.entries({ limit, offset }))
    if (!Number.isInteger(value) || value < 0)
      throw new MonosemError('config', `${name}: expected a whole number of at least 0, got ${value}`)
  const filter =
    options.singleToken === undefined ? '' : ` AND single_token = ${options.singleToken === true}`
  const direction = (options.descending ?? sort !== 'id') ? 'DESC' : 'ASC'
  const rows = await query(
    tables.features,
    `SELECT feature, fires, density, max, mean, single_token, top_tokens FROM ${readParquet(tables.features.paths)}
     WHERE density BETWEEN $1 AND $2${filter}
     ORDER BY "${column}" ${direction} NULLS LAST, feature LIMIT $3 OFFSET $4`,
    [minDensity, maxDensity, limit, offset],
  )
  const examples = await strongestExamples(
    tables.examples,
    rows.map(({ feature }) => feature as number),
  )
  return rows.map((row) => listedFeature(row, examples.get(row.feature as number)))
}

/** The strongest example of each feature that has one; asks each file once. */
async function strongestExamples(examples: Table, features: number[]): Promise<Map<unknown, StoredRow>> {
  const found: StoredRow[] = []
  for (const [shard, ids] of byShard(features))
    found.push(
      ...(await query(
        examples,
        `SELECT * FROM ${readParquet([examples.paths[shard]])}
         WHERE rank = 0 AND interval = ${topGroup} AND feature IN (${ids})`,
      )),
    )
  return new Map(found.map((row) => [row.feature, row]))
}

/** Features by the number of the file that they are in. */
function byShard(features: readonly number[]): Map<number, number[]> {
  const shards = new Map<number, number[]>()
  for (const feature of features) {
    const shard = Math.floor(feature / shardFeatures)
    const ids = shards.get(shard)
    if (ids) ids.push(feature)
    else shards.set(shard, [feature])
  }
  return shards
}

async function getFeatures(
  tables: Tables,
  summary: FeaturesSummary,
  features: readonly number[],
): Promise<FeatureDetail[]> {
  for (const feature of features) requireFeature(feature, summary.features)
  const found = new Map<number, FeatureDetail>()
  for (const [shard, ids] of byShard([...new Set(features)])) {
    const find = (table: TableName): Promise<Map<number, StoredRow[]>> =>
      rowsByFeature(tables[table], shard, ids)
    const [rows, tokens, examples] = await Promise.all([find('features'), find('tokens'), find('examples')])
    for (const [id, [feature]] of rows)
      found.set(
        id,
        detailOf({ feature, tokens: tokens.get(id) ?? [], examples: examples.get(id) ?? [] }, summary),
      )
  }
  return features.map((feature) => found.get(feature) as FeatureDetail)
}

/** The rows of features of one file. */
async function rowsByFeature(table: Table, shard: number, ids: number[]): Promise<Map<number, StoredRow[]>> {
  const from = readParquet([table.paths[shard]])
  // A list of ids makes DuckDB read more than "= $1" does, which a page of one feature should not pay for.
  const found =
    ids.length === 1
      ? await query(table, `SELECT * FROM ${from} WHERE feature = $1`, ids)
      : await query(table, `SELECT * FROM ${from} WHERE feature IN (${ids})`)
  const rows = new Map<number, StoredRow[]>()
  for (const row of found) {
    const own = rows.get(row.feature as number)
    if (own) own.push(row)
    else rows.set(row.feature as number, [row])
  }
  return rows
}
