import type { TokenSplit } from '../corpus/corpus.js'
import { windowCount } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import { Random } from '../random/random.js'

/**
 * Which activations come in which order, known from the tokens alone. A row is the activation at one token that is not
 * <|endoftext|>. Rows come window by window; every epoch visits all windows once, in an order of its own.
 */
export interface RowLayout {
  contextSize: number
  /** rows of one epoch */
  epochRows: number
  /**
   * The windows from the `position`-th row of the endless stream on. `skipRows` of the first window come before that row; for the
   * others it is 0.
   */
  windowsFrom(position: number): Generator<{ window: number; skipRows: number }, never>
}

/**
 * @param startOfText token whose positions are left out: the model has seen nothing there
 * @throws MonosemError config (the split is shorter than one window, or holds nothing but <|endoftext|>)
 */
export function createRowLayout(
  split: TokenSplit,
  contextSize: number,
  startOfText: number,
  seed: number,
): RowLayout {
  const windows = windowCount(split, contextSize)
  const rows = rowsPerWindow(split.tokens, windows, contextSize, startOfText)
  const epochRows = rows.reduce((a, b) => a + b, 0)
  if (epochRows === 0)
    throw new MonosemError(
      'config',
      `activations: the ${split.name} split has no window of ${contextSize} tokens`,
      {
        hint: 'give the corpus more text',
      },
    )
  return {
    contextSize,
    epochRows,
    *windowsFrom(position) {
      let skipRows = position % epochRows
      for (let epoch = Math.floor(position / epochRows); ; epoch++) {
        const order = Int32Array.from({ length: windows }, (_, i) => i)
        for (const window of Random.named(seed, `activations of epoch ${epoch}`).shuffle(order)) {
          if (skipRows < rows[window]) yield { window, skipRows }
          skipRows = Math.max(0, skipRows - rows[window])
        }
      }
    },
  }
}

function rowsPerWindow(
  tokens: ArrayLike<number>,
  windows: number,
  contextSize: number,
  startOfText: number,
): Int32Array {
  const rows = new Int32Array(windows).fill(contextSize)
  for (let i = 0; i < windows * contextSize; i++)
    if (tokens[i] === startOfText) rows[Math.floor(i / contextSize)]--
  return rows
}
