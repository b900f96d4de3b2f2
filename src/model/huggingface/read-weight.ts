import type { TensorReader } from '../../formats/safetensors.js'
import type { DType, Kernels, Tensor } from '../../kernels/kernels.js'
import type { PlannedWeight } from './find-weights.js'
import type { Run } from './weight-source.js'

/** fp32 numbers, or the bits of bf16 ones. */
export type WeightData = Float32Array | Uint16Array

/** Numbers that are read at once. */
const chunkNumbers = 1 << 18

/** Memory through which all weights go, one chunk after the other: fresh memory for each would pile up until the garbage collector comes. */
export const chunkBuffer = (): ArrayBuffer => new ArrayBuffer(4 * chunkNumbers)

/**
 * Reads one parameter from the checkpoint into its tensor, a MiB at a time. BF16 stays the bits it is where the tensor is bf16.
 * Yields what was written, when the kernels have it; it is gone with the next.
 */
export async function* readWeight(
  kernels: Kernels,
  checkpoint: TensorReader,
  { tensor, source, shape }: PlannedWeight,
  out: Tensor,
  buffer: ArrayBuffer,
): AsyncGenerator<WeightData> {
  const stored = checkpoint.entries.get(tensor)!
  const into = source.transpose ? turnedRound(kernels, shape, stored.dtype, out.dtype) : out
  try {
    const bits = stored.dtype === 'BF16' && into.dtype === 'bf16'
    let row = 0
    for (const [first, count] of chunksOf(source.rows ?? [[0, stored.shape[0]]], stored.shape[1] ?? 1)) {
      const { data } = await checkpoint.readRows(tensor, first, count, { bits, buffer })
      const columns = columnsOf(data as WeightData, count, source.columns)
      if (source.add) for (let i = 0; i < columns.length; i++) columns[i] += source.add
      kernels.write(kernels.rows(into, row, count), columns)
      await kernels.finish()
      row += count
      yield columns
    }
    if (source.transpose) {
      kernels.transpose(out, into)
      await kernels.finish()
    }
  } finally {
    if (source.transpose) kernels.free(into)
  }
}

/** Memory for a matrix as it is stored, [outputs, inputs]. With bf16 on either side nothing is lost in bf16. */
function turnedRound(
  kernels: Kernels,
  [inputs, outputs]: readonly number[],
  stored: string,
  out: DType,
): Tensor {
  return kernels.zeros([outputs, inputs], stored === 'BF16' ? 'bf16' : out)
}

/** Runs of rows, cut so that none is larger than a chunk. */
function* chunksOf(runs: readonly Run[], width: number): Generator<Run> {
  const rows = Math.max(1, Math.floor(chunkNumbers / width))
  for (const [first, count] of runs)
    for (let done = 0; done < count; done += rows) yield [first + done, Math.min(rows, count - done)]
}

/** [rows, count] of data [rows, width] */
function columnsOf(data: WeightData, rows: number, columns: Run | undefined): WeightData {
  if (!columns) return data
  const [first, count] = columns
  const width = data.length / rows
  const part = data instanceof Uint16Array ? new Uint16Array(rows * count) : new Float32Array(rows * count)
  for (let row = 0; row < rows; row++) {
    const start = row * width + first
    part.set(data.subarray(start, start + count), row * count)
  }
  return part
}

/** How many numbers are NaN or infinite. */
export function countNonFinite(data: WeightData): number {
  let bad = 0
  if (data instanceof Uint16Array) for (const bits of data) bad += (bits & 0x7f80) === 0x7f80 ? 1 : 0
  else for (const value of data) bad += Number.isFinite(value) ? 0 : 1
  return bad
}
