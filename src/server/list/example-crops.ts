import { setImmediate as otherWork } from 'node:timers/promises'
import type { FeatureExample } from '../../features/feature-detail.js'
import type { FeatureStore } from '../../features/feature-store.js'
import { readParquet, shardFeatures, topGroup } from '../../features/feature-tables.js'
import { segmentsOf } from '../../features/segments.js'
import { type Database, openDatabase } from '../../formats/duckdb.js'

/** The strongest example of each feature, cut to a line. About 170 bytes a feature, once all were asked for. */
export interface ExampleCrops {
  /** null for features without an example */
  of(features: readonly number[]): Promise<(FeatureExample | null)[]>
  /** Reads what nobody has asked for yet, a little at a time. */
  readAhead(): void
  close(): void
}

/** Segments shown, of which at most this many before the example's own. */
const shown = 16
const before = 9

/** The examples of one file, packed. */
interface Shard {
  /** [n + 1] where the tokens of each begin */
  starts: Int32Array
  tokens: Int32Array
  activations: Float32Array
  /** [n] each; `focus` is -1 where there is no example */
  focus: Int32Array
  document: Int32Array
  position: Int32Array
  activation: Float32Array
}

export function openExampleCrops(store: Pick<FeatureStore, 'files' | 'tokenizer'>): ExampleCrops {
  const files = store.files.examples
  const shards = files.map((): Promise<Shard> | null => null)
  let database: Promise<Database> | null = null
  let closed = false
  const shard = (index: number): Promise<Shard> => {
    database ??= openDatabase()
    const found = shards[index] ?? readShard(database, files[index], index * shardFeatures, store)
    shards[index] = found
    // What failed is tried again when it is asked for again.
    found.catch(() => {
      shards[index] = null
    })
    return found
  }
  return {
    of: (features) =>
      Promise.all(
        features.map(async (feature) =>
          cropOf(await shard(Math.floor(feature / shardFeatures)), feature % shardFeatures),
        ),
      ),
    readAhead: async () => {
      for (let index = 0; index < files.length && !closed; index++)
        if (!(await shard(index).catch(() => null))) return
    },
    close: () => {
      closed = true
      const reads = Promise.allSettled(shards)
      void reads.then(() => database?.then(({ close }) => close()))
    },
  }
}

function cropOf(shard: Shard, i: number): FeatureExample | null {
  if (shard.focus[i] < 0) return null
  return {
    ...{ interval: null, rank: 0, activation: shard.activation[i] },
    ...{ document: shard.document[i], position: shard.position[i], tokenIndex: shard.focus[i] },
    tokens: Array.from(shard.tokens.subarray(shard.starts[i], shard.starts[i + 1])),
    activations: Array.from(shard.activations.subarray(shard.starts[i], shard.starts[i + 1])),
  }
}

async function readShard(
  database: Promise<Database>,
  path: string,
  first: number,
  { tokenizer }: Pick<FeatureStore, 'tokenizer'>,
): Promise<Shard> {
  const { connection } = await database
  const found = await connection.runAndReadAll(
    `SELECT feature, activation, document, position, token_index, tokens, activations
     FROM ${readParquet([path])} WHERE rank = 0 AND interval = ${topGroup}`,
  )
  const crops: Crop[] = []
  for (const row of found.getRowsJS() as ExampleRow[]) {
    crops.push(cropped(row, tokenizer))
    if (crops.length % 64 === 0) await otherWork()
  }
  return packed(crops, first)
}

function packed(crops: readonly Crop[], first: number): Shard {
  const int = () => new Int32Array(shardFeatures)
  const total = crops.reduce((sum, { tokens }) => sum + tokens.length, 0)
  const shard: Shard = {
    ...{ starts: new Int32Array(shardFeatures + 1), tokens: new Int32Array(total) },
    ...{ activations: new Float32Array(total), focus: int().fill(-1), document: int(), position: int() },
    activation: new Float32Array(shardFeatures),
  }
  let at = 0
  const byPlace = new Map(crops.map((crop) => [crop.feature - first, crop]))
  for (let i = 0; i < shardFeatures; i++) {
    shard.starts[i] = at
    const crop = byPlace.get(i)
    if (!crop) continue
    shard.tokens.set(crop.tokens, at)
    shard.activations.set(crop.activations, at)
    shard.focus[i] = crop.focus
    shard.document[i] = crop.document
    shard.position[i] = crop.position
    shard.activation[i] = crop.activation
    at += crop.tokens.length
  }
  shard.starts[shardFeatures] = at
  return shard
}

type Crop = ReturnType<typeof cropped>
type ExampleRow = [number, number, number, number, number, number[], number[]]

/** Cuts at the borders of segments, so that the pieces left are the same as in the whole. */
function cropped(row: ExampleRow, tokenizer: FeatureStore['tokenizer']) {
  const [feature, activation, document, position, tokenIndex, tokens, activations] = row
  const segments = segmentsOf(tokens, activations, tokenizer)
  const own = segments.findIndex(({ end }) => tokenIndex < end)
  const from = Math.max(0, Math.min(own - before, segments.length - shown))
  const first = segments[from].first
  const { end } = segments[Math.min(segments.length, from + shown) - 1]
  return {
    ...{ feature, activation, document, position, focus: tokenIndex - first },
    tokens: tokens.slice(first, end),
    activations: activations.slice(first, end),
  }
}
