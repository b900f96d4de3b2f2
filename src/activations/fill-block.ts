import type { Communicator } from '../distributed/communicator.js'
import { inOrder } from '../distributed/in-order.js'
import type { Slice } from '../distributed/mesh.js'
import { narrowToBf16 } from '../formats/half-floats.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { ActivationPass } from './activation-pass.js'
import type { RowLayout } from './row-layout.js'

/** One forward pass for a block of rows, known before anything is computed. */
export interface BlockPass {
  /** [modelBatch], windows of the text */
  windows: Int32Array
  /** how many of the pass's first rows belong to the block before */
  skipRows: number
  /** which rows of the block it gives */
  rows: Slice
}

/** Where passes put their rows. */
export interface BlockBuffers {
  kernels: Kernels
  pass: ActivationPass
  /** by hook point, tensor [block rows, D] f32 or bf16 */
  buffers: ReadonlyMap<string, Tensor>
}

/** The passes that give rows first .. first + count - 1 of the endless stream of rows. @param modelBatch sequences of each */
export function planPasses(
  { windowsFrom, windowRows }: RowLayout,
  modelBatch: number,
  { first, count }: Slice,
): BlockPass[] {
  const passes: BlockPass[] = []
  const windows = windowsFrom(first)
  for (let planned = 0; planned < count; ) {
    const group = Array.from({ length: modelBatch }, () => windows.next().value)
    const skipRows = group[0].skipRows
    const given = group.reduce((sum, { window }) => sum + windowRows[window], 0) - skipRows
    const rows = { first: planned, count: Math.min(given, count - planned) }
    passes.push({ windows: Int32Array.from(group, ({ window }) => window), skipRows, rows })
    planned += rows.count
  }
  return passes
}

/** Enqueues passes and copies of their rows into the buffers. */
export function enqueuePasses({ kernels, pass, buffers }: BlockBuffers, passes: readonly BlockPass[]): void {
  for (const { windows, skipRows, rows } of passes) {
    const positions = pass.run(windows).subarray(skipRows, skipRows + rows.count)
    pass.copyRows(positions, (name) => kernels.rows(buffers.get(name) as Tensor, rows.first, rows.count))
  }
}

/** In how many rounds ranks share a block: few make large messages, many keep memory low and let the next round be computed while one is sent. */
const roundsPerBlock = 8

/**
 * `enqueuePasses` by all ranks together: each computes a part of the passes and gets the rows of the others, the same bits as alone. Resolves
 * when all rows are on their way into the buffers.
 */
export async function sharePasses(
  ranks: Communicator,
  block: BlockBuffers,
  passes: readonly BlockPass[],
): Promise<void> {
  const length = Math.max(1, Math.floor(passes.length / (ranks.size * roundsPerBlock)))
  const count = Math.ceil(passes.length / length)
  const stretch = (i: number): readonly BlockPass[] => passes.slice(i * length, (i + 1) * length)
  const compute = (i: number): Promise<Values[]> => {
    enqueuePasses(block, stretch(i))
    return readRows(block, rowsOf(stretch(i)))
  }
  let i = 0
  for await (const values of inOrder(ranks, count, compute, 'every')) {
    // our own are in the buffers already
    if (i % ranks.size !== ranks.rank) writeRows(block, rowsOf(stretch(i)), values)
    i++
  }
}

/** Rows in the type of their buffer: numbers of f32, bits of bf16. */
type Values = Float32Array | Uint16Array

function rowsOf(passes: readonly BlockPass[]): Slice {
  const [{ first }, last] = [passes[0].rows, passes[passes.length - 1].rows]
  return { first, count: last.first + last.count - first }
}

/** Rows of every hook point. */
function readRows({ kernels, buffers }: BlockBuffers, { first, count }: Slice): Promise<Values[]> {
  const read = async (buffer: Tensor): Promise<Values> => {
    const values = await kernels.readF32(kernels.rows(buffer, first, count))
    return buffer.dtype === 'bf16' ? narrowToBf16(values) : values
  }
  return Promise.all([...buffers.values()].map(read))
}

function writeRows({ kernels, buffers }: BlockBuffers, { first, count }: Slice, values: Values[]): void {
  for (const [i, buffer] of [...buffers.values()].entries())
    kernels.write(kernels.rows(buffer, first, count), values[i])
}
