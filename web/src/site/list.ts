import type { FeatureSearch } from '../../../src/server/list/search-features'
import { type FeatureColumns, selectFeatures } from '../../../src/server/list/select-features'
import type { FeatureList, FeatureListItem, ParsedFeatureQuery } from '../../../src/server/protocol'
import { columnsOf, usualOrder } from '../../../src/server/site/site-columns'
import {
  columnsFile,
  documentsFile,
  itemsFile,
  itemsInFile,
  type SiteColumns,
  type SiteDocuments,
} from '../../../src/server/site/site-layout'
import { kept } from './kept'
import { readFile } from './read-file'

/*
 * The list of features without a server: its columns are read once, and sorted, filtered and searched here by the same functions that the server uses.
 * Features count from 0 here, see `site-columns.ts`.
 */

interface ListData {
  columns: FeatureColumns
  /** number of the feature at a place in the columns */
  idAt: (place: number) => number
  /** place in the columns; -1 for a feature that was not exported */
  placeOf: (feature: number) => number
  /** of each place in the columns, its line in the files of lines */
  lines: Int32Array
}

const listData = kept(4, async (run): Promise<ListData> => {
  const site = await readFile<SiteColumns>(columnsFile(run))
  const columns = columnsOf(site)
  const lines = new Int32Array(site.density.length)
  usualOrder(columns).forEach((place, line) => {
    lines[place] = line
  })
  const { features } = site
  if (!features)
    return {
      ...{ columns, lines },
      idAt: (place) => place,
      placeOf: (feature) => (feature < lines.length ? feature : -1),
    }
  const places = new Map(features.map((feature, place) => [feature, place]))
  return {
    ...{ columns, lines },
    idAt: (place) => features[place],
    placeOf: (feature) => places.get(feature) ?? -1,
  }
})

/** Made when something is looked for: it takes a moment, and the code is of no use before. */
const searchOf = kept(2, async (run): Promise<FeatureSearch> => {
  const [{ createFeatureSearch }, { text, tokens }, { idAt }] = await Promise.all([
    import('../../../src/server/list/search-features'),
    readFile<SiteDocuments>(documentsFile(run)),
    listData(run),
  ])
  return createFeatureSearch(
    text.map((words, place) => ({ feature: idAt(place), text: words, tokens: tokens[place] })),
  )
})

const items = kept(512, (path) => readFile<FeatureListItem[]>(path))

/** The answer to GET /runs/<run>/features. */
export async function listFeatures(run: string, query: ParsedFeatureQuery): Promise<FeatureList> {
  const { columns, placeOf, lines } = await listData(run)
  const { q } = query
  const found = q === undefined ? null : (await searchOf(run)).search(q, query.in).map(placeOf)
  const chosen = selectFeatures(columns, query, found)
  const shown = chosen.subarray(query.offset, query.offset + query.limit)
  return {
    total: chosen.length,
    offset: query.offset,
    items: await Promise.all(Array.from(shown, (place) => lineOf(run, lines[place]))),
  }
}

async function lineOf(run: string, line: number): Promise<FeatureListItem> {
  const some = await items(itemsFile(run, Math.floor(line / itemsInFile)))
  return some[line % itemsInFile]
}
