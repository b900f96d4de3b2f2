import { type FeatureColumns, selectFeatures } from '../list/select-features.js'
import type { FeatureListItem, ParsedFeatureQuery } from '../protocol.js'
import type { SiteColumns } from './site-layout.js'

/*
 * Columns of an exported list. Features count from 0 here even where only some were exported: `SiteColumns.features` says which they are.
 */

/** The columns as the selection takes them. */
export function columnsOf(site: SiteColumns): FeatureColumns {
  const orNaN = (values: readonly (number | null)[]) =>
    Float64Array.from(values, (value) => value ?? Number.NaN)
  return {
    density: Float64Array.from(site.density),
    max: Float64Array.from(site.max),
    mean: orNaN(site.mean),
    score: orNaN(site.score),
    singleToken: Uint8Array.from(site.singleToken),
    labelled: Uint8Array.from(site.labelled),
    cluster: Int32Array.from(site.cluster),
    order: Int32Array.from(site.order),
  }
}

/**
 * Columns from lines of the list.
 * @param items of the exported features, ascending
 * @param onMap features in the list order of the map; empty without one
 */
export function siteColumns(
  items: readonly FeatureListItem[],
  features: number[] | null,
  onMap: readonly number[],
): SiteColumns {
  const rank = new Map(onMap.map((feature, i) => [feature, i]))
  return {
    features,
    density: items.map(({ density }) => density),
    max: items.map(({ max }) => max),
    mean: items.map(({ mean }) => mean),
    score: items.map(({ score }) => score),
    singleToken: items.map(({ singleToken }) => Number(singleToken)),
    labelled: items.map(({ named }) => Number(named === 'label')),
    cluster: items.map(({ cluster }) => cluster ?? -1),
    order: items.map(({ feature, cluster }) => (cluster === null ? -1 : (rank.get(feature) ?? -1))),
  }
}

/** The list as it is without a query. */
const usual: ParsedFeatureQuery = { in: 'all', seed: 0, limit: 1, offset: 0 }

/** Features in the order in which lines of the list lie in files. */
export const usualOrder = (columns: FeatureColumns): Int32Array => selectFeatures(columns, usual, null)
