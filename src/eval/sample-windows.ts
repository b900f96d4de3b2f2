import type { TokenSplit } from '../corpus/corpus.js'
import { windowCount } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'

/**
 * Window indices, ascending and evenly spaced over a split, that hold about `tokens` tokens (all windows when
 * the split has fewer).
 * @throws MonosemError missing, when the split has not even one window
 */
export function sampleWindows(split: TokenSplit, contextSize: number, tokens: number): Int32Array {
  const available = windowCount(split, contextSize)
  if (available < 1)
    throw new MonosemError(
      'missing',
      `the ${split.name} split has ${split.tokens.length} tokens, expected more than ${contextSize} (one window)`,
      { hint: 'build the corpus from more text, or raise its validation share' },
    )
  return spread(available, Math.max(1, Math.round(tokens / contextSize)))
}

/** `wanted` of the integers 0 .. available-1, ascending and evenly spaced. [min(wanted, available)] */
export function spread(available: number, wanted: number): Int32Array {
  const count = Math.min(available, wanted)
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * available) / count))
}

/** Consecutive parts of a list of windows, each of `size` except the last. */
export function batchesOf(windows: Int32Array, size: number): Int32Array[] {
  const batches: Int32Array[] = []
  for (let i = 0; i < windows.length; i += size) batches.push(windows.subarray(i, i + size))
  return batches
}

/**
 * The rows of a batch whose token is not <|endoftext|>: those on which autoencoders are trained and measured.
 */
export function textRows(tokens: Int32Array, startOfText: number): Int32Array {
  let count = 0
  for (const token of tokens) if (token !== startOfText) count++
  const rows = new Int32Array(count)
  let next = 0
  for (let i = 0; i < tokens.length; i++) if (tokens[i] !== startOfText) rows[next++] = i
  return rows
}
