import type { FeatureStore } from '../../features/feature-store.js'
import { readParquet } from '../../features/feature-tables.js'
import { withDatabase } from '../../formats/duckdb.js'

/** What the list needs of the feature store: columns by feature. 30 + 4 * topTokens bytes a feature. */
export interface FeatureTable {
  /** [F] each */
  density: Float64Array
  max: Float64Array
  /** NaN where it never fired */
  mean: Float64Array
  /** 1 or 0 */
  singleToken: Uint8Array
  /** [F, topTokens] tokens that it fires on, largest sum of activations first; -1 where there are fewer */
  tokens: Int32Array
}

/** Tokens kept of each feature. */
const topTokens = 8

/** Reads the columns of all features at once. */
export async function readFeatureTable({
  summary,
  files,
}: Pick<FeatureStore, 'summary' | 'files'>): Promise<FeatureTable> {
  const F = summary.features
  const column = () => new Float64Array(F)
  const table: FeatureTable = {
    ...{ density: column(), max: column(), mean: column(), singleToken: new Uint8Array(F) },
    tokens: new Int32Array(F * topTokens).fill(-1),
  }
  await withDatabase(async (connection) => {
    const features = await connection.stream(
      `SELECT feature, density, max, mean, single_token FROM ${readParquet(files.features)}`,
    )
    for await (const rows of features.yieldRowsJs())
      for (const row of rows as [number, number, number, number | null, boolean][]) {
        const [feature, density, max, mean, singleToken] = row
        table.density[feature] = density
        table.max[feature] = max
        table.mean[feature] = mean ?? Number.NaN
        table.singleToken[feature] = Number(singleToken)
      }
    const tokens = await connection.stream(
      `SELECT feature, rank, token FROM ${readParquet(files.tokens)} WHERE rank < ${topTokens}`,
    )
    for await (const rows of tokens.yieldRowsJs())
      for (const [feature, rank, token] of rows as [number, number, number][])
        table.tokens[feature * topTokens + rank] = token
  })
  return table
}

/** The tokens of one feature as text. */
export function tokensOf(
  { tokens }: FeatureTable,
  feature: number,
  tokenText: (token: number) => string,
): string[] {
  const own = tokens.subarray(feature * topTokens, (feature + 1) * topTokens)
  return Array.from(
    own.filter((token) => token >= 0),
    tokenText,
  )
}
