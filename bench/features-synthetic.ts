import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BYTE_CHARACTERS } from '../src/corpus/byte-level.js'
import { END_OF_TEXT, writeTokenizerJson } from '../src/corpus/tokenizer-json.js'
import { quantileProbabilities } from '../src/features/activation-histogram.js'
import type { FeaturesSummary } from '../src/features/build-features.js'
import {
  type Columns,
  createFeatureTables,
  exampleColumns,
  featureColumns,
  type Row,
  shardCount,
  shardFeatures,
  tokenColumns,
  topGroup,
} from '../src/features/feature-tables.js'
import { Random } from '../src/random/random.js'
import { runStage } from '../src/storage/stage.js'

const vocabulary = 30_000
const top = 20
const intervals = 11
const perInterval = 5
const shownTokens = 25

/** A features directory of random numbers, with as many rows and as long lists as the defaults give. */
export async function writeSyntheticStore(directory: string, features: number): Promise<void> {
  const random = Random.named(1, 'bench.features')
  await runStage({ stage: 'features', out: directory, config: {}, inputs: {} }, async (partial) => {
    for (let shard = 0; shard < shardCount(features); shard++) {
      const tables = await createFeatureTables(partial, shard)
      const end = Math.min(features, (shard + 1) * shardFeatures)
      for (let feature = shard * shardFeatures; feature < end; feature++) {
        tables.features.add({ ...randomRow(featureColumns, random, 10), feature })
        for (let rank = 0; rank < 32; rank++)
          tables.tokens.add({ ...randomRow(tokenColumns, random, 0), feature, rank })
        for (let i = 0; i < top + intervals * perInterval; i++) {
          const interval = i < top ? topGroup : intervals - 1 - Math.floor((i - top) / perInterval)
          const rank = i < top ? i : (i - top) % perInterval
          tables.examples.add({
            ...{ ...randomRow(exampleColumns, random, shownTokens), feature, interval, rank },
            token_index: shownTokens >> 1,
          })
        }
      }
      for (const table of Object.values(tables)) await table.close()
    }
    const summary: FeaturesSummary = {
      ...{ hookName: 'hook_embed', features, tokens: 1e6, split: 'train', dead: 0, singleToken: 0 },
      ...{ intervals, quantileProbabilities: [...quantileProbabilities], hasLogits: true },
    }
    await writeFile(join(partial, 'features.json'), JSON.stringify(summary))
    await writeFile(
      join(partial, 'tokenizer.json'),
      writeTokenizerJson(
        [END_OF_TEXT, ...BYTE_CHARACTERS, ...syntheticTokens(vocabulary - BYTE_CHARACTERS.length - 1)],
        [],
      ),
    )
  })
}

/** Words of four letters, half of them with a blank in front, that no text is ever cut into. */
const syntheticTokens = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => {
    const letters = [0, 1, 2, 3].map(
      (place) => 'abcdefghijklmnopqrstuvwxyz'[Math.floor(i / 26 ** place) % 26],
    )
    return `${i % 2 === 0 ? 'Ġ' : ''}${letters.join('')}`
  })

/** Random values of the columns' types; histograms have 64 entries, other lists `length`. */
function randomRow<C extends Columns>(columns: C, random: Random, length: number): Row<C> {
  const whole = (): number => Math.floor(vocabulary * random.uniform())
  const values = Object.entries(columns).map(([name, type]) => {
    const kind = type.toString()
    const next = kind.startsWith('FLOAT') || kind.startsWith('DOUBLE') ? () => random.uniform() : whole
    if (kind === 'BOOLEAN') return [name, random.uniform() < 0.1]
    if (kind.endsWith('[]'))
      return [name, Array.from({ length: name.endsWith('histogram') ? 64 : length }, next)]
    return [name, next()]
  })
  return Object.fromEntries(values) as Row<C>
}
