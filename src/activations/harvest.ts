import { join } from 'node:path'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import { onFirstRank } from '../distributed/on-first-rank.js'
import { gatherValues } from '../distributed/values.js'
import { narrowToBf16 } from '../formats/half-floats.js'
import { createSafetensorsWriter, type SafetensorsWriter } from '../formats/safetensors-writer.js'
import type { Tensor } from '../kernels/kernels.js'
import { type ProgressTask, type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { formatBytes, requireFreeSpace } from '../storage/free-space.js'
import type { FileEntry } from '../storage/stage.js'
import { type ActivationPass, createActivationPass } from './activation-pass.js'
import { type Finished, readFinished, unfinishedShards, writeFinished } from './harvest-checkpoint.js'
import type { HarvestConfig } from './harvest-config.js'
import {
  bytesOf,
  type HarvestInputs,
  type HarvestPlan,
  planHarvest,
  type RowIds,
  rowIds,
  type ShardPlan,
} from './harvest-plan.js'
import { STORE_FILE, type StoreInfo, shardFile, shardTensors } from './store-info.js'
import { createWriteQueue, type WriteQueue } from './write-queue.js'

/** Room for the rows of one pass at one hook point. */
interface HookRows {
  /** [B*T, D] in the type of the store */
  gathered: Tensor
  /** arrays of as many numbers that are not in use */
  spare: Float32Array[]
}

/** Everything that stays the same from shard to shard. */
interface Harvest {
  directory: string
  inputs: HarvestInputs
  plan: HarvestPlan
  pass: ActivationPass
  /** by hook point, in the order of the store */
  rows: Map<string, HookRows>
  queue: WriteQueue
  /** of the shard that is being written, one for each hook point */
  writers: SafetensorsWriter[]
  /** by this rank; on rank 0 also by earlier runs */
  finished: Finished
  ranks: Communicator
  signal: AbortSignal | undefined
  report: Report
}

/** Shows rows done and MB per second. */
interface Report {
  add(rows: number, bytes: number): void
  /** Tells rank 0 what the others did; all ranks call it. */
  share(): Promise<void>
}

/**
 * How many results of forward passes wait for the disk at most. The model computes on while they are written; the slack covers the moment
 * at the end of a file when the disk is waited for.
 */
const passesAhead = 4

/**
 * Writes the activations of a model on text into a directory: shards of safetensors for each hook point, and activations.json.
 * Goes on after the whole shards that the directory's checkpoints name. Several ranks take turns with the shards that are left; an error on one of them has to
 * end the job.
 * @param hashed gets the entries of the shards for the manifest, on rank 0
 * @throws MonosemError config (no such hook point; too long a context; more tokens than the text has), io (too little space, a full disk,
 *   no permission), interrupted
 */
export async function harvest(
  config: HarvestConfig,
  inputs: HarvestInputs,
  directory: string,
  hashed: Map<string, FileEntry>,
  { progress, signal, ranks = singleRank }: StageContext,
): Promise<void> {
  const plan = planHarvest(config, inputs)
  const { info, shards } = plan
  const finished: Finished = {}
  const left = await onFirstRank(ranks, () => takeStock(directory, info, finished))
  progress.note(`activations: ${info.rows} tokens, ${formatBytes(bytesOf(info, info.shardRows))}`)
  const task = progress.start('harvest activations', info.rows, 'tokens')
  const already = info.rows - left.reduce((sum, shard) => sum + info.shardRows[shard], 0)
  const run: Harvest = {
    ...{ directory, inputs, plan, finished, ranks, signal, writers: [] },
    ...openPass(inputs, plan),
    queue: createWriteQueue(passesAhead),
    report: startReport(task, ranks, already),
  }
  try {
    for (let first = 0; first < left.length; first += ranks.size) {
      const shard = left[first + ranks.rank]
      if (shard !== undefined) await harvestShard(run, shards[shard], shard)
      await run.report.share()
    }
    await run.queue.drain()
    await run.report.share()
  } finally {
    await close(run)
    task.end()
  }
  for (const entries of (await gatherValues(ranks, finished)) ?? [])
    for (const [name, entry] of Object.entries(entries)) hashed.set(name, entry)
  if (ranks.rank === 0)
    await writeFileAtomic(join(directory, STORE_FILE), `${JSON.stringify(info, null, 2)}\n`)
}

/** Finds out which shards are left, and whether there is room for them. @param finished gets what is whole */
async function takeStock(directory: string, info: StoreInfo, finished: Finished): Promise<number[]> {
  Object.assign(finished, await readFinished(directory, info))
  const left = unfinishedShards(info, finished)
  const needed = bytesOf(
    info,
    left.map((shard) => info.shardRows[shard]),
  )
  await requireFreeSpace(directory, needed, 'lower --tokens, name fewer hook points, or use --dtype bf16')
  // kept by rank 0 from now on: the other ranks begin checkpoints of their own, over those of an earlier run
  if (left.length < info.shardRows.length) await writeFinished(directory, 0, finished)
  return left
}

function openPass(
  { model, split }: HarvestInputs,
  { info, layout, modelBatch }: HarvestPlan,
): Pick<Harvest, 'pass' | 'rows'> {
  const hookNames = info.hooks.map(({ name }) => name)
  const pass = createActivationPass(model, split, { hookNames, layout, modelBatch })
  const rows = info.hooks.map(({ name, width }): [string, HookRows] => {
    const shape = [modelBatch * info.contextSize, width]
    return [name, { gathered: model.kernels.zeros(shape, info.dtype), spare: [] }]
  })
  return { pass, rows: new Map(rows) }
}

/** Waits for what is being written, removes files that are not whole, and gives the memory back. */
async function close({ queue, writers, pass, rows, inputs }: Harvest): Promise<void> {
  await queue.drain().catch(() => {})
  for (const writer of writers) await writer.discard()
  pass.free()
  for (const { gathered } of rows.values()) inputs.model.kernels.free(gathered)
}

/** Enqueues the forward passes of one shard, and what is to be written when they are done. */
async function harvestShard(run: Harvest, shard: ShardPlan, index: number): Promise<void> {
  const { pass, queue } = run
  const { modelBatch } = run.plan
  await queue.push(() => openShard(run, shard, index))
  let done = 0
  for (let at = 0; at < shard.windows.length; at += modelBatch) {
    throwIfInterrupted(run.signal)
    const positions = pass.run(shard.windows.subarray(at, at + modelBatch)).subarray(0, shard.rows - done)
    if (positions.length === 0) continue
    const first = done
    done += positions.length
    const values = readRows(run, positions)
    // the job that waits for it may come much later
    values.catch(() => {})
    await queue.push(async () => writeRows(run, await values, first, positions.length))
  }
  await queue.push(() => closeShard(run, index))
}

/** The rows of the last pass at each hook point, in arrays that `writeRows` takes back. */
function readRows({ inputs, pass, rows }: Harvest, positions: Int32Array): Promise<Float32Array[]> {
  const { kernels } = inputs.model
  const part = ({ gathered }: HookRows): Tensor => kernels.rows(gathered, 0, positions.length)
  pass.copyRows(positions, (name) => part(rows.get(name) as HookRows))
  const reads = [...rows.values()].map((hook) => {
    const [length, width] = hook.gathered.shape
    const array = hook.spare.pop() ?? new Float32Array(length * width)
    return kernels.readF32(part(hook), array.subarray(0, positions.length * width))
  })
  return Promise.all(reads)
}

async function openShard({ directory, inputs, plan, writers }: Harvest, shard: ShardPlan, index: number) {
  const { info, layout } = plan
  const ids = Object.entries(rowIds(inputs.split, layout, shard)) as [keyof RowIds, Int32Array][]
  const column = { dtype: 'I32', shape: [shard.rows] } as const
  const dtype = info.dtype === 'f32' ? 'F32' : 'BF16'
  for (const { name, width } of info.hooks) {
    const writer = await createSafetensorsWriter(
      join(directory, shardFile(name, index)),
      {
        ...Object.fromEntries(ids.map(([id]) => [shardTensors[id], column])),
        [shardTensors.activations]: { dtype, shape: [shard.rows, width] },
      },
      { model_name: info.modelName, hook_name: name, context_size: String(info.contextSize) },
    )
    writers.push(writer)
    for (const [id, data] of ids) await writer.write(shardTensors[id], data)
  }
}

/** @param first row of the shard */
async function writeRows(
  { plan, rows, writers, report }: Harvest,
  values: Float32Array[],
  first: number,
  count: number,
): Promise<void> {
  const { hooks, dtype } = plan.info
  let bytes = 0
  for (const [i, { name, width }] of hooks.entries()) {
    const stored = dtype === 'f32' ? values[i] : narrowToBf16(values[i])
    await writers[i].write(shardTensors.activations, stored, first * width)
    bytes += stored.byteLength
    rows.get(name)?.spare.push(new Float32Array(values[i].buffer))
  }
  report.add(count, bytes)
}

/** Finishes the files of a shard, then notes that they are whole. */
async function closeShard(
  { directory, plan, writers, finished, ranks }: Harvest,
  index: number,
): Promise<void> {
  const entries = await Promise.all(writers.map((writer) => writer.finish()))
  writers.length = 0
  for (const [i, { name }] of plan.info.hooks.entries())
    finished[shardFile(name, index)] = entries[i] as FileEntry
  await writeFinished(directory, ranks.rank, finished)
}

/** @param already rows of an earlier run */
function startReport(task: ProgressTask, ranks: Communicator, already: number): Report {
  const since = performance.now()
  const own = { rows: 0, bytes: 0 }
  let others = { rows: 0, bytes: 0 }
  const show = (): void =>
    task.update(already + own.rows + others.rows, {
      'MB/s': (own.bytes + others.bytes) / 1e3 / (performance.now() - since),
    })
  task.update(already)
  return {
    add(rows, bytes) {
      own.rows += rows
      own.bytes += bytes
      show()
    },
    async share() {
      if (ranks.size === 1) return
      const { rows, bytes } = own
      const all = await ranks.sum([rows, bytes])
      others = { rows: all[0] - rows, bytes: all[1] - bytes }
      show()
    },
  }
}
