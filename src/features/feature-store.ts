import { readFile } from 'node:fs/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { loadTokenizer, type Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import { openDatabase, sqlString } from '../formats/duckdb.js'
import { openStage } from '../storage/stage.js'
import type { FeaturesSummary } from './build-features.js'
import type {
  FeatureDetail,
  FeatureExample,
  FeatureRow,
  LogitWeight,
  TokenStatistics,
} from './feature-detail.js'
import { topGroup } from './feature-tables.js'

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
}

/** A finished `features` directory, open for queries. */
export interface FeatureStore {
  summary: FeaturesSummary
  tokenizer: Tokenizer
  list(options?: ListOptions): Promise<FeatureRow[]>
  /** @throws MonosemError missing, when there is no such feature */
  get(feature: number): Promise<FeatureDetail>
  close(): void
}

/**
 * Opens a `features` directory; its files are checked against their hashes.
 * @throws MonosemError missing (not a finished features directory), corrupt
 */
export async function openFeatureStore(directory: string): Promise<FeatureStore> {
  const stage = await openStage(directory, 'features')
  const summary = JSON.parse(await readFile(await stage.file('features.json'), 'utf8')) as FeaturesSummary
  const tokenizer = await loadTokenizer(await stage.file('tokenizer.json'))
  const tables = {
    features: await stage.file('features.parquet'),
    tokens: await stage.file('tokens.parquet'),
    examples: await stage.file('examples.parquet'),
  }
  const { connection, close } = await openDatabase()
  for (const [name, path] of Object.entries(tables))
    await connection.run(`CREATE VIEW ${name} AS SELECT * FROM read_parquet(${sqlString(path)})`)
  return {
    summary,
    tokenizer,
    list: (options = {}) => listFeatures(connection, options),
    get: (feature) => getFeature(connection, summary, feature),
    close,
  }
}

type ResultRow = Record<string, unknown>

async function query(connection: DuckDBConnection, sql: string, values: number[]): Promise<ResultRow[]> {
  const reader = await connection.runAndReadAll(sql, values)
  return reader.getRowObjectsJS() as ResultRow[]
}

const sortColumns: Record<FeatureSort, string> = {
  id: 'feature',
  density: 'density',
  max: 'max',
  mean: 'mean',
}

async function listFeatures(connection: DuckDBConnection, options: ListOptions): Promise<FeatureRow[]> {
  const { sort = 'density', limit = 20, offset = 0, minDensity = 0, maxDensity = 1 } = options
  const column = sortColumns[sort]
  if (!column)
    throw new MonosemError('config', `sort: expected ${Object.keys(sortColumns).join(', ')}, got ${sort}`)
  for (const [name, value] of Object.entries({ limit, offset }))
    if (!Number.isInteger(value) || value < 0)
      throw new MonosemError('config', `${name}: expected a whole number of at least 0, got ${value}`)
  const direction = (options.descending ?? sort !== 'id') ? 'DESC' : 'ASC'
  const rows = await query(
    connection,
    `WITH page AS (
       SELECT feature, fires, density, max, mean, single_token, top_tokens FROM features WHERE density BETWEEN $1 AND $2
       ORDER BY "${column}" ${direction} NULLS LAST, feature LIMIT $3 OFFSET $4)
     SELECT page.*, example.* EXCLUDE (feature) FROM page
     LEFT JOIN (SELECT * FROM examples WHERE rank = 0 AND interval = ${topGroup}) AS example USING (feature)
     ORDER BY page."${column}" ${direction} NULLS LAST, page.feature`,
    [minDensity, maxDensity, limit, offset],
  )
  return rows.map((row) => ({
    ...figuresOf(row),
    topTokens: row.top_tokens as number[],
    topExample: row.tokens ? exampleOf(row) : null,
  }))
}

async function getFeature(
  connection: DuckDBConnection,
  summary: FeaturesSummary,
  feature: number,
): Promise<FeatureDetail> {
  if (!Number.isInteger(feature) || feature < 0 || feature >= summary.features)
    throw new MonosemError(
      'missing',
      `feature ${feature}: expected a whole number from 0 to ${summary.features - 1}`,
      { hint: 'list the features to see their ids' },
    )
  const [row] = await query(connection, 'SELECT * FROM features WHERE feature = $1', [feature])
  const tokens = await query(connection, 'SELECT * FROM tokens WHERE feature = $1 ORDER BY rank', [feature])
  const found = await query(connection, 'SELECT * FROM examples WHERE feature = $1', [feature])
  const examples = found.map(exampleOf).sort((a, b) => a.rank - b.rank)
  return {
    ...figuresOf(row),
    histogram: { range: row.histogram_range as number, counts: row.histogram as number[] },
    quantiles: [],
    tokens: tokens.map(tokenOf),
    tokensMissed: row.tokens_missed as number,
    coActive: [],
    coActiveMissed: 0,
    alignedNeurons: [],
    correlatedNeurons: [],
    logitStatistics: null,
    logitHistogram: null,
    topLogits: logitsOf(row.top_tokens, row.top_logits),
    bottomLogits: logitsOf(row.bottom_tokens, row.bottom_logits),
    top: examples.filter((example) => example.interval === null),
    intervals: examples
      .filter((example) => example.interval !== null)
      .sort((a, b) => (b.interval as number) - (a.interval as number)),
  }
}

type Figures = Pick<FeatureRow, 'feature' | 'fires' | 'density' | 'max' | 'mean' | 'singleToken'>

const figuresOf = (row: ResultRow): Figures => ({
  feature: row.feature as number,
  fires: row.fires as number,
  density: row.density as number,
  max: row.max as number,
  mean: row.mean as number | null,
  singleToken: row.single_token as boolean,
})

const tokenOf = (row: ResultRow): TokenStatistics => ({
  token: row.token as number,
  active: row.active as number,
  occurrences: row.occurrences as number,
  activationSum: row.activation_sum as number,
  lift: row.lift as number,
})

const exampleOf = (row: ResultRow): FeatureExample => ({
  interval: row.interval === topGroup ? null : (row.interval as number),
  rank: row.rank as number,
  activation: row.activation as number,
  document: row.document as number,
  position: row.position as number,
  tokenIndex: row.token_index as number,
  tokens: row.tokens as number[],
  activations: row.activations as number[],
})

const logitsOf = (tokens: unknown, weights: unknown): LogitWeight[] =>
  (tokens as number[]).map((token, i) => ({ token, weight: (weights as number[])[i] }))
