import { setImmediate as otherWork } from 'node:timers/promises'
import type { FeatureStore } from '../../features/feature-store.js'
import { createLru } from '../lru.js'
import type { MapColumns } from '../map/map-columns.js'
import type { NotesStore } from '../notes/notes-store.js'
import { exampleOf } from '../pages/example.js'
import {
  type FeatureList,
  type FeatureListItem,
  featureQuerySchema,
  type ParsedFeatureQuery,
} from '../protocol.js'
import { type StoredAnswer, storedAnswer } from '../stored-answer.js'
import { type ExampleCrops, openExampleCrops } from './example-crops.js'
import { type FeatureTable, readFeatureTable, tokensOf } from './feature-table.js'
import { type NamedFeatures, nameFeatures, renamed } from './named-features.js'
import type { SearchDocument } from './search-features.js'
import { openSearchThread, type SearchThread } from './search-thread.js'
import { selectFeatures } from './select-features.js'

/** What the list of features is made from. */
export interface FeatureIndex {
  list(query: ParsedFeatureQuery): Promise<FeatureList>
  /** The same, ready to be sent. */
  answer(query: ParsedFeatureQuery): Promise<StoredAnswer>
  /** Names, and what is sorted by, as of now. */
  named(): NamedFeatures
  /** Tokens that a feature fires on, largest sum of activations first. */
  tokens(feature: number): string[]
  /** largest activation of each feature, 0 where it never fired, [F] */
  maxima: Float64Array
  close(): void
}

/** Kept until a name changes: bytes of filtered lists (4 for each feature in it), what searches found, and whole answers. */
const selectionMemory = 32 * 2 ** 20
const keptSearches = 32
const keptAnswers = 256

/** The part of a list's item that takes time to make. Its JSON is kept, some 700 characters each, up to this many bytes. */
type Line = Pick<FeatureListItem, 'tokens' | 'example'>
const lineMemory = 64 * 2 ** 20

/** Tokens shown of each feature. */
const shownTokens = 5

/**
 * Reads what can be sorted and filtered by into memory, about 80 bytes a feature; examples and the index of words follow when the list is asked for
 * the first time, 170 bytes a feature here and some 2 kB in a thread of its own.
 */
export async function openFeatureIndex(
  store: FeatureStore,
  map: MapColumns,
  notes: NotesStore,
): Promise<FeatureIndex> {
  const table = await readFeatureTable(store)
  const crops = openExampleCrops(store)
  const search = lazySearch(store, table, notes)
  const selections = createLru<string, Int32Array>(selectionMemory, ({ byteLength }) => byteLength)
  const answers = createLru<string, Promise<StoredAnswer>>(keptAnswers)
  let named = nameFeatures(table, map, notes)
  let started = false
  const current = (): NamedFeatures => {
    if (!started) {
      started = true
      search.start(named)
      void computeOrders(named).then(crops.readAhead)
    }
    if (named.version === notes.version()) return named
    const before = named
    named = nameFeatures(table, map, notes)
    search.update(named, renamed(before, named))
    selections.clear()
    answers.clear()
    return named
  }
  const select = async (query: ParsedFeatureQuery): Promise<Int32Array> => {
    const { columns, version } = current()
    const key = JSON.stringify({ ...query, limit: 0, offset: 0 })
    const known = selections.get(key)
    if (known) return known
    const ranking = query.q === undefined ? null : await search.find(query.q, query.in)
    const found = selectFeatures(columns, query, ranking)
    if (version === named.version) selections.set(key, found)
    return found
  }
  const lineOf = keptLines(table, crops, store.tokenizer)
  /** JSON of a `FeatureList`, put together from that of its lines. */
  const listJson = async (query: ParsedFeatureQuery): Promise<string> => {
    const found = await select(query)
    const ids = Array.from(found.subarray(query.offset, query.offset + query.limit))
    const ends = await Promise.all(ids.map(lineOf))
    const { names } = current()
    const items = ids.map((feature, i) => {
      const start = JSON.stringify(startOfItem(feature, names[feature], table, map))
      return `${start.slice(0, -1)},${ends[i].slice(1)}`
    })
    return `{"total":${found.length},"offset":${query.offset},"items":[${items}]}`
  }
  const answer = (query: ParsedFeatureQuery): Promise<StoredAnswer> => {
    current()
    const key = JSON.stringify(query)
    const known = answers.get(key)
    if (known) return known
    const made = listJson(query).then((json) => storedAnswer(json, 1))
    answers.set(key, made)
    // What failed is not kept: the next one may succeed.
    made.catch(() => answers.delete(key))
    return made
  }
  return {
    list: async (query) => JSON.parse(await listJson(query)) as FeatureList,
    answer,
    named: current,
    maxima: table.max,
    tokens: (feature) => tokensOf(table, feature, store.tokenizer.tokenText),
    close: () => {
      crops.close()
      search.close()
    },
  }
}

/** The JSON of a feature's `Line`, made once. */
function keptLines(table: FeatureTable, crops: ExampleCrops, tokenizer: FeatureStore['tokenizer']) {
  const lines = createLru<number, string>(lineMemory, ({ length }) => 2 * length)
  return async (feature: number): Promise<string> => {
    const known = lines.get(feature)
    if (known !== undefined) return known
    const [example] = await crops.of([feature])
    const tokens = tokensOf(table, feature, tokenizer.tokenText).slice(0, shownTokens)
    const line: Line = { tokens, example: example && exampleOf(example, tokenizer, null) }
    const json = JSON.stringify(line)
    lines.set(feature, json)
    return json
  }
}

/** What an item says besides its line. */
function startOfItem(
  feature: number,
  name: NamedFeatures['names'][number],
  { density, max, mean, singleToken }: FeatureTable,
  { cluster }: MapColumns,
): Omit<FeatureListItem, keyof Line> {
  return {
    feature,
    name: name?.name ?? null,
    named: name?.named ?? null,
    density: density[feature],
    max: max[feature],
    mean: Number.isNaN(mean[feature]) ? null : mean[feature],
    score: name?.score ?? null,
    singleToken: singleToken[feature] === 1,
    cluster: cluster[feature] < 0 ? null : cluster[feature],
  }
}

/** Sorts by everything once, so that the first who asks does not wait. */
async function computeOrders({ columns }: NamedFeatures): Promise<void> {
  for (const sort of ['density', 'max', 'mean', 'score', 'map', 'id'] as const) {
    await otherWork()
    selectFeatures(columns, featureQuerySchema.parse({ sort }), null)
  }
}

/** The search, which indexes when it is started; what it found is kept until a name changes. */
function lazySearch({ summary, tokenizer }: FeatureStore, table: FeatureTable, notes: NotesStore) {
  let thread: SearchThread | null = null
  const found = createLru<string, Promise<Int32Array>>(keptSearches)
  /** The text that a name stands for stays findable when a label takes its place. */
  const explained = new Map<number, string>()
  const documentOf =
    ({ names }: NamedFeatures) =>
    (feature: number): SearchDocument => {
      const named = names[feature]
      if (named?.named === 'explanation') explained.set(feature, named.name)
      const texts = new Set([named?.name ?? '', explained.get(feature) ?? ''])
      return { feature, text: [...texts].join('\n'), tokens: tokensOf(table, feature, tokenizer.tokenText) }
    }
  return {
    start: (named: NamedFeatures): void => {
      thread = openSearchThread(summary.features, documentOf(named))
      void addHiddenTexts(named, notes, explained).then((features) =>
        thread?.update(features.map(documentOf(named))),
      )
    },
    update: (named: NamedFeatures, features: readonly number[]): void => {
      found.clear()
      if (features.length > 0) thread?.update(features.map(documentOf(named)))
    },
    find: (query: string, where: ParsedFeatureQuery['in']): Promise<Int32Array> => {
      const key = `${where} ${query}`
      const known = found.get(key)
      if (known) return known
      const asked = (thread as SearchThread).search(query, where)
      found.set(key, asked)
      asked.catch(() => found.delete(key))
      return asked
    },
    close: () => thread?.close(),
  }
}

/** Explanations of features that go by a label already: these are not among the names. */
async function addHiddenTexts(
  { names }: NamedFeatures,
  notes: NotesStore,
  explained: Map<number, string>,
): Promise<number[]> {
  const labelled = names.flatMap((named, feature) => (named?.named === 'label' ? [feature] : []))
  for (const feature of labelled) {
    const { explanations } = await notes.get(feature)
    explained.set(feature, explanations.map(({ text }) => text).join('\n'))
  }
  return labelled
}
