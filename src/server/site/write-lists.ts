import type { FeatureList, FeatureListItem, FeatureNotes } from '../protocol.js'
import type { Ask } from './ask.js'
import { columnsOf, siteColumns, usualOrder } from './site-columns.js'
import {
  columnsFile,
  documentsFile,
  itemsFile,
  itemsInFile,
  namesFile,
  namesInFile,
  type SiteDocuments,
  type SiteNames,
} from './site-layout.js'
import type { SiteWriter } from './site-writer.js'

/** As many lines of the list as the API gives at once. */
const mostLines = 500

/** All lines of a list. @param query of the API's list, without paging */
export async function readList(ask: Ask, run: string, query: string): Promise<FeatureListItem[]> {
  const lines: FeatureListItem[] = []
  for (;;) {
    const page = `limit=${mostLines}&offset=${lines.length}`
    const { total, items }: FeatureList = JSON.parse(await ask(`/runs/${run}/features?${query}&${page}`))
    lines.push(...items)
    if (items.length === 0 || lines.length >= total) return lines
  }
}

/** Writes what lists are sorted, filtered and shown from. @param items of the exported features, ascending */
export async function writeLists(
  writer: SiteWriter,
  ask: Ask,
  { run, items, all, map }: { run: string; items: readonly FeatureListItem[]; all: boolean; map: boolean },
): Promise<void> {
  const onMap = map ? (await readList(ask, run, 'sort=map')).map(({ feature }) => feature) : []
  const features = all ? null : items.map(({ feature }) => feature)
  const columns = siteColumns(items, features, onMap)
  await writer.data(columnsFile(run), JSON.stringify(columns))
  const lines = Array.from(usualOrder(columnsOf(columns)), (i) => items[i])
  for (let i = 0; i * itemsInFile < lines.length; i++) {
    const some = lines.slice(i * itemsInFile, (i + 1) * itemsInFile)
    await writer.data(itemsFile(run, i), JSON.stringify(some))
  }
}

/** Writes names, by the number of the feature. */
export async function writeNames(
  writer: SiteWriter,
  run: string,
  items: readonly FeatureListItem[],
): Promise<void> {
  const files = new Map<number, SiteNames>()
  for (const { feature, name } of items) {
    const index = Math.floor(feature / namesInFile)
    const names = files.get(index) ?? {}
    names[feature] = name
    files.set(index, names)
  }
  for (const [index, names] of files) await writer.data(namesFile(run, index), JSON.stringify(names))
}

/**
 * Writes what the search looks in: the name of each feature, its explanations where a label has taken their place, and its tokens. The server's
 * index has the same.
 * @param items of the exported features, ascending
 * @param notes of the same
 * @param tokens that a feature fires on
 */
export async function writeDocuments(
  writer: SiteWriter,
  run: string,
  items: readonly FeatureListItem[],
  notes: readonly FeatureNotes[],
  tokens: (feature: number) => string[],
): Promise<void> {
  const hidden = ({ named }: FeatureListItem, { explanations }: FeatureNotes): string[] =>
    named === 'label' ? explanations.map(({ text }) => text) : []
  const documents: SiteDocuments = {
    text: items.map((item, i) => [item.name ?? '', ...hidden(item, notes[i])].join('\n')),
    tokens: items.map(({ feature }) => tokens(feature)),
  }
  await writer.data(documentsFile(run), JSON.stringify(documents))
}
