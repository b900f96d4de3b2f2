import type { TokenSplit } from '../corpus/corpus.js'
import { fillWindows, type WindowBatch } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import { perBatchSize } from '../eval/per-batch-size.js'
import { batchesOf, textRows } from '../eval/sample-windows.js'
import type { Tensor } from '../kernels/kernels.js'
import {
  createWorkspace,
  forward,
  freeWorkspace,
  hookNames,
  type Transformer,
  type Workspace,
} from '../model/transformer.js'
import { encode } from '../sae/sae.js'
import { type Columns, type ColumnValues, hookOf } from './columns.js'

export interface ReadColumnsOptions {
  columns: readonly Columns[]
  split: TokenSplit
  /** the token that opens every document; its positions are left out */
  startOfText: number
  /** T, tokens of a window; no model's context may be smaller */
  contextLength: number
  /** window indices, in the order wanted */
  windows: Int32Array
  /** windows per forward pass */
  batchWindows: number
}

/** What all columns hold on the n text positions of a batch of windows. */
export interface ColumnBatch {
  /** windows in the batch */
  windows: number
  /** [n] the token at each position */
  tokens: Int32Array
  /** [n] where it is among the tokens of the split */
  positions: Int32Array
  /** by column set, in the order of the options */
  values: ColumnValues[]
}

/** One model, which runs once for all columns that read it. */
interface Reader {
  model: Transformer
  workspace: Workspace
  /** of `columns` */
  members: readonly number[]
  lastHook: string
}

/**
 * Reads several sets of columns on the same tokens, batch by batch; the next batch is computed while the caller works on the current one.
 * Each model runs once per batch, up to the last hook point that is wanted of it.
 * @throws MonosemError diverged (NaN or infinity in the activations)
 */
export async function* readColumns(options: ReadColumnsOptions): AsyncGenerator<ColumnBatch> {
  const readers = perBatchSize(
    (windows) => createReaders(options, windows),
    (made) => {
      for (const { model, workspace } of made) freeWorkspace(model, workspace)
    },
  )
  const batches = batchesOf(options.windows, options.batchWindows)
  const start = (i: number): Promise<ColumnBatch> | null =>
    i < batches.length ? readBatch(options, batches[i], readers.get(batches[i].length)) : null
  let pending = start(0)
  try {
    for (let i = 1; pending !== null; i++) {
      const current: ColumnBatch = await pending
      pending = start(i)
      // When it fails while the caller works, the next await reports it.
      pending?.catch(() => {})
      yield current
    }
  } finally {
    // A caller that stopped early leaves a batch under way.
    await pending?.catch(() => {})
    readers.free()
  }
}

function createReaders({ columns, contextLength }: ReadColumnsOptions, windows: number): Reader[] {
  const models = [...new Set(columns.map(({ model }) => model))]
  return models.map((model) => {
    const members = columns.flatMap((column, i) => (column.model === model ? [i] : []))
    const wanted = new Set(members.map((i) => hookOf(columns[i])))
    const inOrder = hookNames(model.config).filter((name) => wanted.has(name))
    const workspace = createWorkspace(model, windows, contextLength, { keep: inOrder })
    return { model, workspace, members, lastHook: inOrder[inOrder.length - 1] }
  })
}

async function readBatch(
  options: ReadColumnsOptions,
  windows: Int32Array,
  readers: readonly Reader[],
): Promise<ColumnBatch> {
  const batch = fillWindows(options.split, options.contextLength, windows)
  const rows = textRows(batch.tokens, options.startOfText)
  const { contextLength: t } = options
  const tokens = Int32Array.from(rows, (row) => batch.tokens[row])
  const positions = Int32Array.from(rows, (row) => windows[Math.floor(row / t)] * t + (row % t))
  const values: ColumnValues[] = options.columns.map((columns) => noValues(columns))
  if (rows.length > 0)
    await Promise.all(
      readers.map(async (reader) => {
        const read = await readModel(options, reader, batch, rows)
        reader.members.forEach((member, i) => {
          values[member] = read[i]
        })
      }),
    )
  return { windows: windows.length, tokens, positions, values }
}

/** One forward pass, and the values of all columns of that model. */
async function readModel(
  { columns }: ReadColumnsOptions,
  { model, workspace, members, lastHook }: Reader,
  batch: WindowBatch,
  rows: Int32Array,
): Promise<ColumnValues[]> {
  const { kernels } = model
  forward(model, workspace, batch, { stopAfter: lastHook })
  const ids = kernels.tensor(rows, [rows.length])
  const atHook = new Map<string, Tensor>()
  for (const name of new Set(members.map((i) => hookOf(columns[i])))) {
    const activation = workspace.activations[name]
    const x = kernels.zeros([rows.length, activation.shape[1]])
    kernels.gatherRows(x, activation, ids)
    atHook.set(name, x)
  }
  try {
    const [values] = await Promise.all([
      Promise.all(members.map((i) => valuesOf(columns[i], atHook.get(hookOf(columns[i])) as Tensor))),
      ...[...atHook].map(([name, x]) => requireFinite(model, name, x)),
    ])
    return values
  } finally {
    for (const tensor of [ids, ...atHook.values()]) kernels.free(tensor)
  }
}

async function valuesOf(columns: Columns, x: Tensor): Promise<ColumnValues> {
  if (columns.kind === 'features') return { kind: 'features', codes: await encode(columns.sae, x) }
  return { kind: 'neurons', x: await columns.model.kernels.readF32(x) }
}

const noValues = ({ kind }: Columns): ColumnValues =>
  kind === 'neurons'
    ? { kind, x: new Float32Array(0) }
    : {
        kind,
        codes: {
          rowOffsets: new Int32Array(1),
          featureIds: new Int32Array(0),
          values: new Float32Array(0),
        },
      }

/** A sum over the tokens is finite only where every activation is. */
async function requireFinite({ kernels }: Transformer, hookName: string, x: Tensor): Promise<void> {
  const sums = kernels.zeros([x.shape[1]])
  kernels.columnSums(sums, x)
  const found = await kernels.readF32(sums)
  kernels.free(sums)
  const bad = found.findIndex((sum) => !Number.isFinite(sum))
  if (bad >= 0)
    throw new MonosemError(
      'diverged',
      `${hookName}: expected finite activations, got NaN or infinity in dimension ${bad}`,
      { hint: 'check the weights of the model' },
    )
}
