import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { TokenSplit } from '../corpus/corpus.js'
import { bf16Bits } from '../formats/half-floats.js'
import { createSafetensorsStream, type SafetensorsStream } from '../formats/safetensors-stream.js'
import type { Tensor } from '../kernels/kernels.js'
import { hookWidth, type Transformer } from '../model/transformer.js'
import { type ProgressTask, type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { formatBytes, requireFreeSpace } from '../storage/free-space.js'
import type { FileEntry } from '../storage/stage.js'
import { type ActivationPass, createActivationPass } from './activation-pass.js'
import type { HarvestConfig } from './harvest-config.js'
import { planShards, rowIds, type ShardPlan } from './harvest-plan.js'
import { createRowLayout, type RowLayout } from './row-layout.js'
import { bytesPerValue, STORE_FILE, type StoreInfo, shardFile, shardTensors } from './store-info.js'
import { createWriteQueue, type WriteQueue } from './write-queue.js'

export interface HarvestInputs {
  model: Transformer
  /** how `model_name` calls it */
  modelName: string
  split: TokenSplit
  /** token that stands before every document */
  startOfText: number
}

/** Files that are whole, by name: what the checkpoint holds. */
type Finished = Record<string, FileEntry>

/** Everything that stays the same from shard to shard. */
interface Harvest {
  directory: string
  config: HarvestConfig
  inputs: HarvestInputs
  layout: RowLayout
  info: StoreInfo
  pass: ActivationPass
  /** where the rows of one pass are gathered, by hook point: [B*T, D] in the type of the store */
  gathered: Map<string, Tensor>
  queue: WriteQueue
  /** files that are being written, one for each hook point */
  streams: SafetensorsStream[]
  finished: Finished
  signal: AbortSignal | undefined
  report(rows: number, bytes: number): void
}

const CHECKPOINT = 'checkpoint.json'

/**
 * How many results of forward passes wait for the disk at most. The model computes on while they are written; the slack covers the moment
 * at the end of a file when the disk is waited for.
 */
const passesAhead = 4

/** Bytes of a row's token, position and document. */
const idBytes = 12

/**
 * Writes the activations of a model on text into a directory: shards of safetensors for each hook point, and activations.json.
 * Goes on after the last whole shard that the directory's checkpoint names.
 * @param hashed gets the entries of the shards for the manifest
 * @throws MonosemError config (no such hook point; too long a context; more tokens than the text has), io (too little space, a full disk,
 *   no permission), interrupted
 */
export async function harvest(
  config: HarvestConfig,
  inputs: HarvestInputs,
  directory: string,
  hashed: Map<string, FileEntry>,
  { progress, signal }: StageContext,
): Promise<void> {
  const { model, split } = inputs
  const { kernels } = model
  const contextSize = config.contextSize ?? model.config.context
  const layout = createRowLayout(split, contextSize, config.keepBos ? null : inputs.startOfText, config.seed)
  const shardWindows = windowsPerShard(config, model, contextSize)
  const shards = planShards(layout, shardWindows, config.tokens)
  const info = describe(config, inputs, layout, shards)
  const finished = await readFinished(directory, info)
  const first = Object.keys(finished).length / info.hooks.length
  const needed = bytesOf(info, info.shardRows.slice(first))
  await requireFreeSpace(directory, needed, 'lower --tokens, name fewer hook points, or use --dtype bf16')
  progress.note(`activations: ${info.rows} tokens, ${formatBytes(bytesOf(info, info.shardRows))}`)

  const names = info.hooks.map(({ name }) => name)
  const modelBatch = Math.min(config.modelBatch, shardWindows)
  const pass = createActivationPass(model, split, { hookNames: names, layout, modelBatch })
  const gathered = new Map(
    info.hooks.map(({ name, width }) => [
      name,
      kernels.zeros([modelBatch * contextSize, width], config.dtype),
    ]),
  )
  const task = progress.start('harvest activations', info.rows, 'tokens')
  const queue = createWriteQueue(passesAhead)
  const report = startReport(
    task,
    info.shardRows.slice(0, first).reduce((a, b) => a + b, 0),
  )
  const parts = { directory, config: { ...config, modelBatch }, inputs, layout, info, pass, gathered, queue }
  const run: Harvest = { ...parts, streams: [], finished, signal, report }
  try {
    for (let shard = first; shard < shards.length; shard++) await harvestShard(run, shards[shard], shard)
    await queue.drain()
  } finally {
    await queue.drain().catch(() => {})
    for (const stream of run.streams) await stream.discard()
    pass.free()
    for (const tensor of gathered.values()) kernels.free(tensor)
    task.end()
  }
  await writeFileAtomic(join(directory, STORE_FILE), `${JSON.stringify(info, null, 2)}\n`)
  for (const [name, entry] of Object.entries(run.finished)) hashed.set(name, entry)
}

/** Whole passes fill a shard, where it is larger than one. */
function windowsPerShard(config: HarvestConfig, { config: sizes }: Transformer, contextSize: number): number {
  const { modelBatch, shardMb, dtype, shardTokens } = config
  const widest = Math.max(...config.hook.map((name) => hookWidth(sizes, name)))
  const rows = shardTokens ?? (shardMb * 1e6) / (widest * bytesPerValue[dtype] + idBytes)
  const windows = Math.max(1, Math.floor(rows / contextSize))
  return windows < modelBatch ? windows : windows - (windows % modelBatch)
}

function describe(
  config: HarvestConfig,
  { model, modelName }: HarvestInputs,
  { contextSize, leftOut }: RowLayout,
  shards: readonly ShardPlan[],
): StoreInfo {
  const shardRows = shards.map(({ rows }) => rows)
  return {
    modelName,
    hooks: [...new Set(config.hook)].map((name) => ({ name, width: hookWidth(model.config, name) })),
    dtype: config.dtype,
    split: config.split,
    contextSize,
    prependBos: false,
    leftOutToken: leftOut,
    rows: shardRows.reduce((a, b) => a + b, 0),
    shardRows,
  }
}

/** Size of shards with these numbers of rows, all hook points together, without the headers. */
function bytesOf({ hooks, dtype }: StoreInfo, shardRows: readonly number[]): number {
  const perRow = hooks.reduce((sum, { width }) => sum + width * bytesPerValue[dtype] + idBytes, 0)
  return shardRows.reduce((sum, rows) => sum + rows * perRow, 0)
}

/** The files of the shards that an earlier run completed, as far as they are still there. */
async function readFinished(directory: string, info: StoreInfo): Promise<Finished> {
  const text = await readFile(join(directory, CHECKPOINT), 'utf8').catch(() => '{}')
  const noted = JSON.parse(text) as Finished
  const finished: Finished = {}
  for (let shard = 0; shard < info.shardRows.length; shard++) {
    const names = info.hooks.map(({ name }) => shardFile(name, shard))
    for (const name of names) {
      const size = await stat(join(directory, name)).then(
        ({ size }) => size,
        () => -1,
      )
      if (noted[name]?.bytes !== size) return finished
    }
    for (const name of names) finished[name] = noted[name]
  }
  return finished
}

/** Enqueues the forward passes of one shard, and what is to be written when they are done. */
async function harvestShard(run: Harvest, plan: ShardPlan, shard: number): Promise<void> {
  const { config, inputs, pass, gathered, info, queue } = run
  const { kernels } = inputs.model
  await queue.push(() => openShard(run, plan, shard))
  let left = plan.rows
  for (let at = 0; at < plan.windows.length; at += config.modelBatch) {
    throwIfInterrupted(run.signal)
    const windows = plan.windows.subarray(at, at + config.modelBatch)
    const positions = pass.run(windows).subarray(0, left)
    if (positions.length === 0) continue
    left -= positions.length
    const rowsOf = (name: string): Tensor => kernels.rows(gathered.get(name) as Tensor, 0, positions.length)
    pass.copyRows(positions, rowsOf)
    const values = Promise.all(info.hooks.map(({ name }) => kernels.readF32(rowsOf(name))))
    // the job that waits for it may come much later
    values.catch(() => {})
    await queue.push(() => appendRows(run, values, positions.length))
  }
  await queue.push(() => closeShard(run, shard))
}

async function openShard(run: Harvest, plan: ShardPlan, shard: number): Promise<void> {
  const { directory, inputs, layout, info } = run
  const ids = rowIds(inputs.split, layout, plan)
  const shape = [plan.rows]
  const known = {
    [shardTensors.tokenIds]: { shape, data: ids.tokenIds },
    [shardTensors.positions]: { shape, data: ids.positions },
    [shardTensors.documentIds]: { shape, data: ids.documentIds },
  }
  for (const { name, width } of info.hooks) {
    const stream = await createSafetensorsStream(join(directory, shardFile(name, shard)), {
      known,
      streamed: {
        name: shardTensors.activations,
        dtype: info.dtype === 'f32' ? 'F32' : 'BF16',
        shape: [plan.rows, width],
      },
      metadata: { model_name: info.modelName, hook_name: name, context_size: String(info.contextSize) },
    })
    run.streams.push(stream)
  }
}

async function appendRows(run: Harvest, values: Promise<Float32Array[]>, rows: number): Promise<void> {
  let bytes = 0
  for (const [i, data] of (await values).entries()) {
    const stored = run.info.dtype === 'f32' ? data : bf16Bits(data)
    await run.streams[i].append(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength))
    bytes += stored.byteLength
  }
  run.report(rows, bytes)
}

/** Finishes the files of a shard, then notes that they are whole. */
async function closeShard(run: Harvest, shard: number): Promise<void> {
  const { directory, info, streams, finished } = run
  const entries = await Promise.all(streams.map((stream) => stream.finish()))
  run.streams = []
  for (const [i, { name }] of info.hooks.entries()) finished[shardFile(name, shard)] = entries[i]
  await writeFileAtomic(join(directory, CHECKPOINT), JSON.stringify(finished))
}

/** Shows rows done and MB per second. @param already rows of an earlier run */
function startReport(task: ProgressTask, already: number): Harvest['report'] {
  const since = performance.now()
  let [done, written] = [already, 0]
  task.update(done)
  return (rows, bytes) => {
    done += rows
    written += bytes
    task.update(done, { 'MB/s': written / 1e3 / (performance.now() - since) })
  }
}
