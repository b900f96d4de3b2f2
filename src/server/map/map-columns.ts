import { sqlString, withDatabase } from '../../formats/duckdb.js'

/** Where features lie: columns by feature, [F]. */
export interface MapColumns {
  /** NaN where it is not on the map */
  x: Float64Array
  y: Float64Array
  /** rank in the list, -1 where it is not on the map */
  order: Int32Array
  /** 0 is the largest, -1 where it is not on the map */
  cluster: Int32Array
}

/**
 * @param path map.parquet, or null: no feature is on the map
 * @param features F
 */
export async function readMapColumns(path: string | null, features: number): Promise<MapColumns> {
  const columns: MapColumns = {
    x: new Float64Array(features).fill(Number.NaN),
    y: new Float64Array(features).fill(Number.NaN),
    order: new Int32Array(features).fill(-1),
    cluster: new Int32Array(features).fill(-1),
  }
  if (path === null) return columns
  await withDatabase(async (connection) => {
    const found = await connection.stream(
      `SELECT feature, x, y, "order", cluster FROM read_parquet(${sqlString(path)}) WHERE x IS NOT NULL`,
    )
    for await (const rows of found.yieldRowsJs())
      for (const [feature, x, y, order, cluster] of rows as number[][]) {
        columns.x[feature] = x
        columns.y[feature] = y
        columns.order[feature] = order
        columns.cluster[feature] = cluster
      }
  })
  return columns
}
