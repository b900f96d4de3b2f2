import type { TokenSplit } from '../corpus/corpus.js'
import { locate } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type RowLayout, rowPositions } from './row-layout.js'

/** Which windows of the text fill one shard. Only the last one of a store may use a part of its last window. */
export interface ShardPlan {
  /** in the order of their rows */
  windows: Int32Array
  rows: number
}

/** What every row of a shard belongs to, [rows] each. */
export interface RowIds {
  tokenIds: Int32Array
  positions: Int32Array
  documentIds: Int32Array
}

/**
 * Cuts one epoch of the text into shards of whole windows. A shard then depends on its number only, and no window is computed twice.
 * Windows come in the random order of the layout, so that a shard is a sample of the whole text.
 * @param tokens rows in all; default: every row of the epoch
 * @param shardWindows windows of each shard but the last
 * @throws MonosemError config (more tokens than the text has)
 */
export function planShards(layout: RowLayout, shardWindows: number, tokens = layout.epochRows): ShardPlan[] {
  if (tokens > layout.epochRows)
    throw new MonosemError(
      'config',
      `activations: expected at most ${layout.epochRows} tokens, which is all the text has, got ${tokens}`,
      { hint: 'lower --tokens, or leave it out for all of them' },
    )
  const order = layout.windowOrder(0)
  const plans: ShardPlan[] = []
  let left = tokens
  for (let first = 0; left > 0; first += shardWindows) {
    let [rows, count] = [0, 0]
    while (count < shardWindows && first + count < order.length && rows < left)
      rows += layout.windowRows[order[first + count++]]
    if (rows > 0) plans.push({ windows: order.subarray(first, first + count), rows: Math.min(rows, left) })
    left -= rows
  }
  return plans
}

/** The token, the place in its window and the document of every row of a shard. */
export function rowIds(split: TokenSplit, layout: RowLayout, { windows, rows }: ShardPlan): RowIds {
  const ids: RowIds = {
    tokenIds: new Int32Array(rows),
    positions: new Int32Array(rows),
    documentIds: new Int32Array(rows),
  }
  let row = 0
  for (const window of windows) {
    const first = window * layout.contextSize
    const tokens = split.tokens.subarray(first, first + layout.contextSize)
    for (const position of rowPositions(layout, tokens).subarray(0, rows - row)) {
      ids.tokenIds[row] = tokens[position]
      ids.positions[row] = position
      ids.documentIds[row++] = locate(split, first + position).document
    }
  }
  return ids
}
