import type { FeatureStore } from '../features/feature-store.js'
import { exampleOf } from './example.js'
import type { NotesStore } from './notes-store.js'
import type { FeatureList, FeatureListItem, ParsedFeatureQuery } from './protocol.js'

/** What the list of features is made from. */
export interface FeatureIndex {
  list(query: ParsedFeatureQuery): Promise<FeatureList>
}

/** @param run the run's directory, for what is known besides the store (map, clusters) */
export async function openFeatureIndex(
  store: FeatureStore,
  _run: string,
  notes: NotesStore,
): Promise<FeatureIndex> {
  return {
    async list({ limit, offset, sort }) {
      const rows = await store.list({
        limit,
        offset,
        sort: sort === 'max' || sort === 'mean' || sort === 'id' ? sort : 'density',
      })
      const items = rows.map((row): FeatureListItem => {
        const named = notes.names().get(row.feature)
        return {
          feature: row.feature,
          name: named?.name ?? null,
          named: named?.named ?? null,
          density: row.density,
          max: row.max,
          mean: row.mean,
          score: named?.score ?? null,
          singleToken: row.singleToken,
          cluster: null,
          tokens: row.topTokens.slice(0, 5).map((token) => store.tokenizer.tokenText(token)),
          example: row.topExample && exampleOf(row.topExample, store.tokenizer, null),
        }
      })
      return { total: store.summary.features, offset, items }
    },
  }
}
