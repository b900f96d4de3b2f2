import type { TokenSplit } from '../corpus/corpus.js'
import { MonosemError } from '../errors/monosem-error.js'
import { withDatabase } from '../formats/duckdb.js'
import { readParquet, topGroup } from './feature-tables.js'

/** An example of a feature, and where in the split it lies. */
export interface PlacedExample {
  feature: number
  /** null for top examples, else the interval that it was drawn from */
  interval: number | null
  rank: number
  document: number
  /** index of the example's token in its document */
  position: number
  /** index of that token in the split */
  token: number
  /** the text that the example shows: first token and one past the last, in the split */
  first: number
  end: number
}

/**
 * The examples to measure, by feature: of each group (the top examples, then the highest interval first) the first, then of
 * each the second, and so on, until a feature has `perFeature`.
 * @param files examples-*.parquet of a feature store over this split
 * @throws MonosemError corrupt (an example lies outside of the split)
 */
export async function readExamples(
  files: readonly string[],
  split: TokenSplit,
  perFeature: number,
): Promise<PlacedExample[]> {
  const rows = await withDatabase(async (connection) => {
    const found = await connection.runAndReadAll(
      `SELECT feature, interval, rank, document, position, token_index, len(tokens)::INTEGER
       FROM ${readParquet(files)}
       QUALIFY row_number() OVER (
         PARTITION BY feature ORDER BY rank, interval = ${topGroup} DESC, interval DESC) <= $1
       ORDER BY feature, interval = ${topGroup} DESC, interval DESC, rank`,
      [perFeature],
    )
    return found.getRowsJS() as number[][]
  })
  const starts = new Map(Array.from(split.documentIds, (id, i) => [id, split.documentStarts[i]]))
  return rows.map(([feature, interval, rank, document, position, tokenIndex, shown]) => {
    const token = (starts.get(document) ?? Number.NaN) + position
    if (!(token < split.tokens.length))
      throw new MonosemError(
        'corrupt',
        `${files[0]} and on: document ${document} has no token ${position} in the ${split.name} split`,
      )
    const first = token - tokenIndex
    const group = interval === topGroup ? null : interval
    return { feature, interval: group, rank, document, position, token, first, end: first + shown }
  })
}
