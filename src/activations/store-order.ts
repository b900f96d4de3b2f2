import { Random } from '../random/random.js'

/** Consecutive rows of one shard. */
export interface Piece {
  shard: number
  first: number
  count: number
}

/** Rows that are in memory together, and are given out in a random order. */
export interface Block {
  pieces: Piece[]
  rows: number
  /** Rows of the block, numbered piece after piece, in the order in which they are given out, [rows]. */
  order(): Int32Array
}

/**
 * In which order the rows of a store are given out, known from the sizes of its shards alone. Every epoch takes the shards in a new
 * random order, a few at a time. These are read side by side from their first row to their last: a block is the next piece of each,
 * shuffled whole. So every shard is read once in an epoch, and in large sequential pieces.
 */
export interface StoreOrder {
  epochRows: number
  /** rows of the largest block */
  largestBlock: number
  /**
   * The blocks from the `position`-th row of the endless stream on. `skipRows` of the first block come before that row; for the others
   * it is 0.
   */
  blocksFrom(position: number): Generator<{ block: Block; skipRows: number }, never>
}

export interface StoreOrderOptions {
  seed: number
  /** rows of a block, about */
  blockRows: number
  /** shards that are read side by side; more where these would not fill a block */
  shardsAtOnce: number
}

export function createStoreOrder(
  shardRows: readonly number[],
  { seed, blockRows, shardsAtOnce }: StoreOrderOptions,
): StoreOrder {
  const epochRows = shardRows.reduce((a, b) => a + b, 0)
  const fillBlock = Math.ceil((blockRows * shardRows.length) / epochRows)
  const together = Math.min(shardRows.length, Math.max(shardsAtOnce, fillBlock))
  const blocksOf = (epoch: number): Block[] => {
    const shards = Random.named(seed, `shards of epoch ${epoch}`).permutation(shardRows.length)
    const blocks = groupsOf(shards, together).flatMap((group) => piecesOf(group, shardRows, blockRows))
    return blocks.map((pieces, i) => {
      const rows = pieces.reduce((sum, { count }) => sum + count, 0)
      const order = () => Random.named(seed, `rows of block ${i} of epoch ${epoch}`).permutation(rows)
      return { pieces, rows, order }
    })
  }
  return {
    epochRows,
    // a piece may be a row longer than its share
    largestBlock: Math.min(epochRows, blockRows + together),
    *blocksFrom(position) {
      let skipRows = position % epochRows
      for (let epoch = Math.floor(position / epochRows); ; epoch++)
        for (const block of blocksOf(epoch)) {
          if (skipRows < block.rows) yield { block, skipRows }
          skipRows = Math.max(0, skipRows - block.rows)
        }
    },
  }
}

/** Cuts a list into parts of nearly equal length, at most `largest`. */
function groupsOf(list: Int32Array, largest: number): Int32Array[] {
  const groups = Math.ceil(list.length / largest)
  const start = (i: number): number => Math.floor((list.length * i) / groups)
  return Array.from({ length: groups }, (_, i) => list.subarray(start(i), start(i + 1)))
}

/** The pieces of each block of a group of shards. */
function piecesOf(group: Int32Array, shardRows: readonly number[], blockRows: number): Piece[][] {
  const rows = group.reduce((sum, shard) => sum + shardRows[shard], 0)
  const blocks = Math.ceil(rows / blockRows)
  return Array.from({ length: blocks }, (_, i) =>
    Array.from(group, (shard) => {
      const start = (block: number): number => Math.floor((shardRows[shard] * block) / blocks)
      return { shard, first: start(i), count: start(i + 1) - start(i) }
    }).filter(({ count }) => count > 0),
  )
}
