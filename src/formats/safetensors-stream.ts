import { createHash } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError, syncDirectory } from '../storage/atomic-file.js'
import type { FileEntry } from '../storage/stage.js'
import { bytesPerElement, naturalDtype, type SafetensorsDtype } from './safetensors.js'
import { elementCount, headerBytes } from './safetensors-header.js'

/** A safetensors file on its way to the disk. */
export interface SafetensorsStream {
  /** The next bytes of the last tensor. They may be reused when the promise resolves. */
  append(bytes: Uint8Array): Promise<void>
  /** Syncs the file and gives it its name. Returns what the manifest says of it. */
  finish(): Promise<FileEntry>
  /** Closes and removes the file, unless it is finished. */
  discard(): Promise<void>
}

export interface StreamedTensors {
  /** tensors that are there already; the largest element types come first, so that all are aligned */
  known: Record<string, { shape: number[]; data: Int32Array | Uint32Array | Float32Array }>
  /** the tensor that follows in pieces */
  streamed: { name: string; dtype: SafetensorsDtype; shape: number[] }
  metadata: Record<string, string>
}

/**
 * Starts a safetensors file whose last tensor is appended in pieces, so that it never has to be in memory. The file is hashed on
 * the way, and has its name only once it is whole.
 * @throws MonosemError io; shape (from finish: another number of bytes came than the shape says)
 */
export async function createSafetensorsStream(
  path: string,
  { known, streamed, metadata }: StreamedTensors,
): Promise<SafetensorsStream> {
  const temporary = `${path}.tmp`
  const hash = createHash('sha256')
  let [bytes, file]: [number, FileHandle | null] = [0, null]
  const discard = async (): Promise<void> => {
    const opened = file
    file = null
    await opened?.close().catch(() => {})
    await rm(temporary, { force: true }).catch(() => {})
  }
  /** Does something with the file; when that fails, the file is removed. */
  const attempt = async (action: (handle: FileHandle) => Promise<void>): Promise<void> => {
    try {
      file ??= await open(temporary, 'w')
      await action(file)
    } catch (cause) {
      await discard()
      throw storageError('write', path, cause)
    }
  }
  const append = (data: Uint8Array): Promise<void> =>
    attempt(async (handle) => {
      hash.update(data)
      bytes += data.length
      for (let done = 0; done < data.length; ) done += (await handle.write(data, done)).bytesWritten
    })
  const { header, end } = layOut(known, streamed, metadata)
  await append(header)
  for (const { data } of Object.values(known))
    await append(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return {
    append,
    async finish() {
      await attempt(async (handle) => {
        if (bytes !== header.length + end)
          throw new MonosemError(
            'shape',
            `write ${path}: expected ${end} bytes of tensors, got ${bytes - header.length}`,
          )
        await handle.sync()
        await handle.close()
        await rename(temporary, path)
        await syncDirectory(dirname(path))
        file = null
      })
      return { sha256: hash.digest('hex'), bytes }
    },
    discard,
  }
}

/** The header, and where the last tensor ends after it. */
function layOut(
  known: StreamedTensors['known'],
  streamed: StreamedTensors['streamed'],
  metadata: StreamedTensors['metadata'],
): { header: Uint8Array; end: number } {
  const entries: Record<string, unknown> = { __metadata__: metadata }
  let offset = 0
  const add = (name: string, dtype: SafetensorsDtype, shape: number[]): void => {
    const begin = offset
    offset += bytesPerElement[dtype] * elementCount(shape)
    entries[name] = { dtype, shape, data_offsets: [begin, offset] }
  }
  for (const [name, { shape, data }] of Object.entries(known)) add(name, naturalDtype(data), shape)
  add(streamed.name, streamed.dtype, streamed.shape)
  return { header: headerBytes(entries), end: offset }
}
