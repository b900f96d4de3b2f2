import type { TokenSplit } from '../corpus/corpus.js'
import { locate } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import { hookWidth, type Transformer } from '../model/transformer.js'
import type { HarvestConfig } from './harvest-config.js'
import { createRowLayout, type RowLayout, rowPositions } from './row-layout.js'
import { bytesPerValue, type StoreInfo } from './store-info.js'

export interface HarvestInputs {
  model: Transformer
  /** how `model_name` calls it */
  modelName: string
  split: TokenSplit
  /** token that stands before every document */
  startOfText: number
}

/** What will be computed and written, known before any of it is. */
export interface HarvestPlan {
  layout: RowLayout
  shards: ShardPlan[]
  info: StoreInfo
  /** sequences per forward pass: no more than a shard has */
  modelBatch: number
}

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

/** Bytes of a row's token, position and document. */
const idBytes = 12

/** @throws MonosemError config (no such hook point; no text; more tokens than the text has) */
export function planHarvest(config: HarvestConfig, inputs: HarvestInputs): HarvestPlan {
  const { model, modelName, split, startOfText } = inputs
  const { contextSize = model.config.context, keepBos, dtype } = config
  const leftOutToken = keepBos ? null : startOfText
  const hooks = [...new Set(config.hook)].map((name) => ({ name, width: hookWidth(model.config, name) }))
  const layout = createRowLayout(split, contextSize, leftOutToken, config.seed)
  const shardWindows = windowsPerShard(config, Math.max(...hooks.map(({ width }) => width)), contextSize)
  const shards = planShards(layout, shardWindows, config.tokens)
  const shardRows = shards.map(({ rows }) => rows)
  const rows = shardRows.reduce((a, b) => a + b, 0)
  const text = { split: config.split, contextSize, prependBos: false, leftOutToken }
  const info = { modelName, hooks, dtype, ...text, rows, shardRows }
  return { layout, shards, info, modelBatch: Math.min(config.modelBatch, shardWindows) }
}

/** Whole passes fill a shard, where it is larger than one. @param widest D of the widest hook point */
function windowsPerShard(config: HarvestConfig, widest: number, contextSize: number): number {
  const { modelBatch, shardMb, dtype, shardTokens } = config
  const rows = shardTokens ?? (shardMb * 1e6) / (widest * bytesPerValue[dtype] + idBytes)
  const windows = Math.max(1, Math.floor(rows / contextSize))
  return windows < modelBatch ? windows : windows - (windows % modelBatch)
}

/** Size of shards with these numbers of rows, all hook points together, without the headers. */
export function bytesOf({ hooks, dtype }: StoreInfo, shardRows: readonly number[]): number {
  const perRow = hooks.reduce((sum, { width }) => sum + width * bytesPerValue[dtype] + idBytes, 0)
  return shardRows.reduce((sum, rows) => sum + rows * perRow, 0)
}

/**
 * Cuts one epoch of the text into shards of whole windows. A shard then depends on its number only, and no window is computed twice.
 * Windows come in the random order of the layout, so that a shard is a sample of the whole text.
 * @param tokens rows in all; default: every row of the epoch
 * @param shardWindows windows of each shard but the last
 * @throws MonosemError config (more tokens than the text has)
 */
function planShards(layout: RowLayout, shardWindows: number, tokens = layout.epochRows): ShardPlan[] {
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
