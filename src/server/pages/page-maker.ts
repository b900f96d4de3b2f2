import { exampleEffectOf } from '../../features/ablation-stage.js'
import { mapRowOf } from '../../features/feature-map.js'
import type { FeatureStore } from '../../features/feature-store.js'
import { openDatabase, sqlString } from '../../formats/duckdb.js'
import type { OptionalParts } from '../optional-parts.js'
import { pageOf } from './feature-page.js'

/** Makes pages from the tables of a run. */
export interface PageMaker {
  /** JSON of the pages of some features, in the order asked for. @throws MonosemError missing (no such feature) */
  pages(features: readonly number[]): Promise<string[]>
  close(): void
}

type Row = Record<string, unknown>

/** The rows of some features in a table, by feature, in the order of the table. */
interface Rows {
  of(features: readonly number[]): Promise<Map<number, Row[]>>
  close(): void
}

/** @param store stays open as long as the maker */
export async function openPageMaker(
  store: FeatureStore,
  { map, ablation }: Pick<OptionalParts, 'map' | 'ablation'>,
): Promise<PageMaker> {
  const places = await openRows(map)
  const effects = await openRows(ablation)
  return {
    pages: async (features) => {
      const [details, placeRows, effectRows] = await Promise.all([
        store.getMany(features),
        places.of(features),
        effects.of(features),
      ])
      return details.map((detail) => {
        const [place] = placeRows.get(detail.feature) ?? []
        const own = effectRows.get(detail.feature)
        const extras = { place: place && mapRowOf(place), effects: own?.map(exampleEffectOf) }
        return JSON.stringify(pageOf(detail, store, extras))
      })
    },
    close: () => {
      places.close()
      effects.close()
    },
  }
}

/** @param path a Parquet file with a column `feature`; null: no feature has rows */
async function openRows(path: string | null): Promise<Rows> {
  if (path === null) return { of: async () => new Map(), close: () => {} }
  const { connection, close } = await openDatabase()
  const of = async (features: readonly number[]): Promise<Map<number, Row[]>> => {
    const rows = new Map<number, Row[]>()
    if (features.length === 0) return rows
    // A range lets DuckDB skip what is outside; a list of ids does not.
    const range = [Math.min(...features), Math.max(...features)]
    const found = await connection.runAndReadAll(
      `SELECT * FROM read_parquet(${sqlString(path)}) WHERE feature BETWEEN $1 AND $2`,
      range,
    )
    for (const row of found.getRowObjectsJS() as Row[]) {
      const own = rows.get(row.feature as number)
      if (own) own.push(row)
      else rows.set(row.feature as number, [row])
    }
    return rows
  }
  return { of, close }
}
