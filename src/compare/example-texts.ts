import { contextRange, type TokenRange } from '../features/context.js'
import type { ChosenExample } from './choose-examples.js'
import type { ColumnValues } from './columns.js'
import { readColumns } from './read-columns.js'
import type { TopTokens } from './token-shares.js'
import { type MeasuredUniversality, sets } from './universality.js'

/** One stretch of text as two features read it. */
export interface SharedText {
  tokens: number[]
  /** activations of A's feature and of its partner on each token */
  a: number[]
  b: number[]
}

/** A feature of A and its partner in B, on the same text. */
export interface ExamplePair extends ChosenExample {
  /** tokens that hold most of the activation of each */
  topTokens: { a: number[]; b: number[] }
  /** largest activation of each on the half of the text that the examples come from */
  largest: { a: number; b: number }
  /** where A's feature is strongest */
  texts: SharedText[]
}

/**
 * Chosen features with what they and their partners do on text.
 * @throws MonosemError as `readColumns`
 */
export async function readExamples(
  chosen: readonly ChosenExample[],
  measured: MeasuredUniversality,
  startOfText: number,
): Promise<ExamplePair[]> {
  const texts = await readSharedTexts(chosen, measured, startOfText)
  const { strongest } = measured
  const [topOfA, topOfB] = [sets.a, sets.b].map((set) => measured.chosen.topTokens[set])
  return chosen.map((example, i) => ({
    ...example,
    topTokens: { a: tokensOf(topOfA, example.feature), b: tokensOf(topOfB, example.partner) },
    largest: {
      a: strongest.a.activations[example.feature * strongest.a.k],
      b: strongest.b.activations[example.partner * strongest.b.k],
    },
    texts: texts[i],
  }))
}

const tokensOf = (top: TopTokens | null, feature: number): number[] =>
  top === null
    ? []
    : Array.from(top.tokens.subarray(feature * top.k, (feature + 1) * top.k)).filter((token) => token >= 0)

const before = 10
const after = 5

/** Reads the windows in which features of A are strongest once more, with both dictionaries. */
async function readSharedTexts(
  chosen: readonly ChosenExample[],
  { columns, heldOutSplit: split, contextLength, strongest }: MeasuredUniversality,
  startOfText: number,
): Promise<SharedText[][]> {
  const { k, positions } = strongest.a
  const shape = { contextSize: contextLength, before, after, startOfText }
  const wanted = chosen.flatMap(({ feature, partner }, example) =>
    Array.from(positions.subarray(feature * k, feature * k + k))
      .filter((position) => position >= 0)
      .map((position) => ({ example, feature, partner, range: contextRange(split, shape, position) })),
  )
  const windowOf = ({ first }: TokenRange): number => Math.floor(first / contextLength)
  const windows = Int32Array.from(
    [...new Set(wanted.map(({ range }) => windowOf(range)))].sort((p, q) => p - q),
  )
  const texts: SharedText[][] = chosen.map(() => [])
  const options = { columns: [columns[sets.a], columns[sets.b]], split, startOfText, contextLength, windows }
  for await (const { positions: read, values } of readColumns({ ...options, batchWindows: 1 })) {
    const window = Math.floor(read[0] / contextLength)
    for (const { example, feature, partner, range } of wanted) {
      if (windowOf(range) !== window) continue
      const rows = Array.from(read.keys()).filter((row) => read[row] >= range.first && read[row] < range.end)
      texts[example].push({
        tokens: rows.map((row) => split.tokens[read[row]]),
        a: rows.map((row) => activationAt(values[0], row, feature)),
        b: rows.map((row) => activationAt(values[1], row, partner)),
      })
    }
  }
  const strength = ({ a }: SharedText): number => Math.max(...a)
  return texts.map((shared) => shared.sort((p, q) => strength(q) - strength(p)))
}

function activationAt(values: ColumnValues, row: number, feature: number): number {
  if (values.kind === 'neurons') return 0
  const { rowOffsets, featureIds, values: activations } = values.codes
  for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++)
    if (featureIds[e] === feature) return activations[e]
  return 0
}
