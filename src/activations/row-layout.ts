import type { TokenSplit } from '../corpus/corpus.js'
import { windowCount } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import { Random } from '../random/random.js'

/**
 * Which activations come in which order, known from the tokens alone. A row is the activation at one token that is not
 * left out. Rows come window by window; every epoch visits all windows once, in an order of its own.
 */
export interface RowLayout {
  contextSize: number
  /** token whose positions are no rows; null where every token is one */
  leftOut: number | null
  /** rows of one epoch */
  epochRows: number
  /** rows of each window, [windows] */
  windowRows: Int32Array
  /** The windows of an epoch in their order. */
  windowOrder(epoch: number): Int32Array
  /**
   * The windows from the `position`-th row of the endless stream on. `skipRows` of the first window come before that row; for the
   * others it is 0.
   */
  windowsFrom(position: number): Generator<{ window: number; skipRows: number }, never>
}

/**
 * @param leftOut what stands before every document: the model has seen nothing there, and its activations are unlike all others. null to
 *   keep it
 * @throws MonosemError config (the split is shorter than one window, or holds nothing but what is left out)
 */
export function createRowLayout(
  split: TokenSplit,
  contextSize: number,
  leftOut: number | null,
  seed: number,
): RowLayout {
  const windows = windowCount(split, contextSize)
  const windowRows = rowsPerWindow(split.tokens, windows, contextSize, leftOut)
  const epochRows = windowRows.reduce((a, b) => a + b, 0)
  if (epochRows === 0)
    throw new MonosemError(
      'config',
      `activations: the ${split.name} split has no window of ${contextSize} tokens`,
      {
        hint: 'give the corpus more text',
      },
    )
  const windowOrder = (epoch: number) =>
    Random.named(seed, `activations of epoch ${epoch}`).permutation(windows)
  return {
    contextSize,
    leftOut,
    epochRows,
    windowRows,
    windowOrder,
    *windowsFrom(position) {
      let skipRows = position % epochRows
      for (let epoch = Math.floor(position / epochRows); ; epoch++) {
        for (const window of windowOrder(epoch)) {
          if (skipRows < windowRows[window]) yield { window, skipRows }
          skipRows = Math.max(0, skipRows - windowRows[window])
        }
      }
    },
  }
}

function rowsPerWindow(
  tokens: ArrayLike<number>,
  windows: number,
  contextSize: number,
  leftOut: number | null,
): Int32Array {
  const rows = new Int32Array(windows).fill(contextSize)
  for (let i = 0; i < windows * contextSize; i++)
    if (tokens[i] === leftOut) rows[Math.floor(i / contextSize)]--
  return rows
}

/** Positions of the tokens that are rows, ascending. */
export function rowPositions({ leftOut }: Pick<RowLayout, 'leftOut'>, tokens: ArrayLike<number>): Int32Array {
  const positions = new Int32Array(tokens.length)
  let count = 0
  for (let n = 0; n < tokens.length; n++) if (tokens[n] !== leftOut) positions[count++] = n
  return positions.subarray(0, count)
}
