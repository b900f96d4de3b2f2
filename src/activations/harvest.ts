import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { narrowToBf16 } from '../formats/half-floats.js'
import { createSafetensorsWriter, type SafetensorsWriter } from '../formats/safetensors-writer.js'
import type { Tensor } from '../kernels/kernels.js'
import { type ProgressTask, type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { formatBytes, requireFreeSpace } from '../storage/free-space.js'
import type { FileEntry } from '../storage/stage.js'
import { type ActivationPass, createActivationPass } from './activation-pass.js'
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

/** Files that are whole, by name: what the checkpoint holds. */
type Finished = Record<string, FileEntry>

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
  const plan = planHarvest(config, inputs)
  const { info, shards } = plan
  const finished = await readFinished(directory, info)
  const first = Object.keys(finished).length / info.hooks.length
  const needed = bytesOf(info, info.shardRows.slice(first))
  await requireFreeSpace(directory, needed, 'lower --tokens, name fewer hook points, or use --dtype bf16')
  progress.note(`activations: ${info.rows} tokens, ${formatBytes(bytesOf(info, info.shardRows))}`)
  const task = progress.start('harvest activations', info.rows, 'tokens')
  const already = info.shardRows.slice(0, first).reduce((a, b) => a + b, 0)
  const run: Harvest = {
    ...{ directory, inputs, plan, finished, signal, writers: [] },
    ...openPass(inputs, plan),
    queue: createWriteQueue(passesAhead),
    report: startReport(task, already),
  }
  try {
    for (let shard = first; shard < shards.length; shard++) await harvestShard(run, shards[shard], shard)
    await run.queue.drain()
  } finally {
    await close(run)
    task.end()
  }
  await writeFileAtomic(join(directory, STORE_FILE), `${JSON.stringify(info, null, 2)}\n`)
  for (const [name, entry] of Object.entries(finished)) hashed.set(name, entry)
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
  report(count, bytes)
}

/** Finishes the files of a shard, then notes that they are whole. */
async function closeShard({ directory, plan, writers, finished }: Harvest, index: number): Promise<void> {
  const entries = await Promise.all(writers.map((writer) => writer.finish()))
  writers.length = 0
  for (const [i, { name }] of plan.info.hooks.entries())
    finished[shardFile(name, index)] = entries[i] as FileEntry
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
