import type { MapColumns } from '../map/map-columns.js'
import type { FeatureName, NotesStore } from '../notes/notes-store.js'
import type { FeatureTable } from './feature-table.js'
import type { FeatureColumns } from './select-features.js'

/** Names and scores as of one version of the notes, as the list needs them. */
export interface NamedFeatures {
  version: number
  /** [F] */
  names: (FeatureName | undefined)[]
  /** columns to sort and filter by */
  columns: FeatureColumns
}

/** Joins the names of now with what does not change. Columns that do not depend on names stay the same arrays: their orders are kept. */
export function nameFeatures(
  table: FeatureTable,
  map: MapColumns,
  notes: Pick<NotesStore, 'names' | 'version'>,
): NamedFeatures {
  const F = table.density.length
  const known = notes.names()
  const names = Array.from({ length: F }, (_, feature) => known.get(feature))
  return {
    version: notes.version(),
    names,
    columns: {
      ...{ density: table.density, max: table.max, mean: table.mean, singleToken: table.singleToken },
      ...{ cluster: map.cluster, order: map.order },
      score: Float64Array.from(names, (named) => named?.score ?? Number.NaN),
      labelled: Uint8Array.from(names, (named) => Number(named?.named === 'label')),
    },
  }
}

/** Features whose name is not what it was. */
export function renamed(before: NamedFeatures, after: NamedFeatures): number[] {
  const changed: number[] = []
  for (let feature = 0; feature < after.names.length; feature++)
    if (before.names[feature]?.name !== after.names[feature]?.name) changed.push(feature)
  return changed
}
