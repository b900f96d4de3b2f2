import { type Communicator, singleRank } from '../../distributed/communicator.js'
import { sliceOf } from '../../distributed/mesh.js'
import { createShardsWriter } from '../../formats/safetensors-shards.js'
import type { FileEntry } from '../../storage/stage.js'
import { transpose } from './weight-reader.js'

/*
 * Tensors of an autoencoder whose features are spread over ranks go to the disk as files hold them: from the first row to the last, a tile (a few
 * rows) at a time, put together on rank 0. No rank holds the whole: beside its own features, a rank needs its part of one tile; rank 0 a tile and the
 * parts that it is made from, some of them until garbage is collected: about 0.2 GB. A tile is at least one row, so of W_enc [D, F] F numbers: 136 MB for
 * 34 million features, and ten times that on rank 0.
 */

/** A tensor of the file, and what this rank has of it. */
export interface StoredTensor {
  name: string
  /** of the whole tensor in the file */
  shape: readonly number[]
  /** which axis of `shape` is F; null: every rank has the whole tensor */
  featureAxis: 0 | 1 | null
  /** whether `array` is [columns, rows] of `shape` */
  transposed: boolean
  array: Float32Array
}

export interface StoreOptions {
  /**
   * the ranks that have the features: rank i has those of `sliceOf(F, i)`, and arrays hold these alone. Of replicas with the same features only one writes.
   * Default: one rank with all
   */
  ranks?: Communicator
  /** bytes of tensors beyond which they are several files with an index. Default 5e9 */
  shardBytes?: number
  /** bytes that are gathered and written at a time. Default 16 MiB */
  tileBytes?: number
  /** where to enter what a manifest says of the files that rank 0 wrote, by name: they need not be read again for it */
  hashed?: Map<string, FileEntry>
}

/**
 * Writes `<stem>.safetensors`, or its shards, on rank 0; all ranks call it.
 * @throws MonosemError io
 */
export async function storeTensors(
  directory: string,
  stem: string,
  tensors: readonly StoredTensor[],
  { ranks = singleRank, shardBytes, tileBytes = 1 << 24, hashed }: StoreOptions,
): Promise<void> {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))
  const planned = sorted.map(({ name, shape }) => [name, { dtype: 'F32', shape }])
  const writer =
    ranks.rank === 0
      ? await createShardsWriter(directory, stem, Object.fromEntries(planned), shardBytes)
      : null
  try {
    for (const tensor of sorted) {
      let at = 0
      for await (const tile of tilesOf(ranks, tensor, tileBytes)) {
        await writer?.write(tensor.name, tile, at)
        at += tile.length
      }
    }
    for (const [name, entry] of (await writer?.finish()) ?? []) hashed?.set(name, entry)
  } catch (cause) {
    await writer?.discard()
    throw cause
  }
}

/** The tiles of a tensor in the order of the file, on rank 0; the others iterate and see none. */
function tilesOf(
  ranks: Communicator,
  { shape, featureAxis, transposed, array }: StoredTensor,
  tileBytes: number,
): AsyncIterable<Float32Array> | Iterable<Float32Array> {
  const [rows, columns = 1] = shape
  const step = Math.max(1, Math.floor(tileBytes / (4 * columns)))
  if (featureAxis === 0) return tilesOfRows(ranks, array, rows, columns, step)
  if (featureAxis === 1) return tilesOfColumns(ranks, array, rows, step)
  if (ranks.rank !== 0) return []
  return [transposed ? transpose(array, columns, rows) : array]
}

/** Of [F, width], features first, as W_dec and biases are: rank after rank sends its rows [Fr, width]. */
async function* tilesOfRows(
  ranks: Communicator,
  local: Float32Array,
  features: number,
  width: number,
  step: number,
): AsyncGenerator<Float32Array> {
  for (let owner = 0; owner < ranks.size; owner++) {
    const { count } = sliceOf(features, { rank: owner, size: ranks.size })
    for (let first = 0; first < count; first += step) {
      const end = Math.min(count, first + step)
      const own = owner === ranks.rank ? local.subarray(first * width, end * width) : new Float32Array(0)
      const parts = await gatherFloats(ranks, own)
      if (parts) yield parts[owner]
    }
  }
}

/** Of [width, F], features last, as W_enc is: every rank sends its stretch of the rows, out of its [Fr, width]. */
async function* tilesOfColumns(
  ranks: Communicator,
  local: Float32Array,
  width: number,
  step: number,
): AsyncGenerator<Float32Array> {
  for (let first = 0; first < width; first += step) {
    const count = Math.min(step, width - first)
    const parts = await gatherFloats(ranks, transpose(local, local.length / width, width, first, count))
    if (parts) yield sideBySide(parts, count)
  }
}

async function gatherFloats(ranks: Communicator, own: Float32Array): Promise<Float32Array[] | null> {
  const parts = await ranks.gather(new Uint8Array(own.buffer, own.byteOffset, own.byteLength))
  if (parts === null) return null
  return parts.map(
    ({ buffer, byteOffset, byteLength }) => new Float32Array(buffer, byteOffset, byteLength / 4),
  )
}

/** Matrices of as many rows, one to the right of the other. */
function sideBySide(parts: readonly Float32Array[], rows: number): Float32Array {
  if (parts.length === 1) return parts[0]
  const widths = parts.map(({ length }) => length / rows)
  const total = widths.reduce((a, b) => a + b, 0)
  const out = new Float32Array(rows * total)
  let column = 0
  for (const [i, part] of parts.entries()) {
    for (let row = 0; row < rows; row++)
      out.set(part.subarray(row * widths[i], (row + 1) * widths[i]), row * total + column)
    column += widths[i]
  }
  return out
}
