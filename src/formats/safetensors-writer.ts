import { createHash } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError, syncDirectory } from '../storage/atomic-file.js'
import type { FileEntry } from '../storage/stage.js'
import { elementCount } from './element-count.js'
import { bytesPerElement, naturalDtype, type SafetensorsData, type SafetensorsDtype } from './safetensors.js'
import { headerBytes } from './safetensors-header.js'

/** A tensor of the file: what it will hold comes later. */
export interface PlannedTensor {
  dtype: SafetensorsDtype
  shape: readonly number[]
}

/** A safetensors file on its way to the disk, its tensors written in pieces and in any order. */
export interface SafetensorsWriter {
  /**
   * Writes elements first, first + 1, ... of a tensor.
   * @throws MonosemError missing (no such tensor), shape (another type, or beyond its end), io
   */
  write(name: string, data: SafetensorsData, first?: number): Promise<void>
  /**
   * Syncs the file and gives it its name.
   * @returns what a manifest says of it, where all was written in the order of the file; else null
   * @throws MonosemError shape (a tensor has not got all its elements), io
   */
  finish(): Promise<FileEntry | null>
  /** Closes and removes the file, unless it is finished. */
  discard(): Promise<void>
}

interface Place extends PlannedTensor {
  /** first byte in the file */
  begin: number
  elements: number
  /** elements that were written */
  written: number
}

/**
 * Starts a safetensors file that never has to be in memory: all shapes are known, the data comes in pieces. A reader sees the whole file or
 * none. Larger element types come first, so that every tensor starts aligned; those of one size in the order of `tensors`.
 * @throws MonosemError io
 */
export async function createSafetensorsWriter(
  path: string,
  tensors: Record<string, PlannedTensor>,
  metadata: Record<string, string> = {},
): Promise<SafetensorsWriter> {
  const temporary = `${path}.tmp`
  const { header, places } = layOut(tensors, metadata)
  const hash = createHash('sha256')
  let [hashed, file]: [number, FileHandle | null] = [0, null]
  const discard = async (): Promise<void> => {
    const opened = file
    file = null
    if (opened === null) return
    await opened.close().catch(() => {})
    await rm(temporary, { force: true }).catch(() => {})
  }
  const attempt = async (action: () => Promise<void>): Promise<void> => {
    try {
      await action()
    } catch (cause) {
      await discard()
      throw storageError('write', path, cause)
    }
  }
  const put = async (bytes: Uint8Array, at: number): Promise<void> => {
    if (file === null) throw new MonosemError('io', `write ${path}: the file is closed`)
    if (at === hashed) hash.update(bytes)
    hashed = at === hashed ? at + bytes.length : Number.NaN
    for (let done = 0; done < bytes.length; )
      done += (await file.write(bytes, done, Math.min(bytes.length - done, maxWriteBytes), at + done))
        .bytesWritten
  }
  await attempt(async () => {
    file = await open(temporary, 'w')
    await put(header, 0)
  })
  return {
    write: (name, data, first = 0) =>
      attempt(async () => {
        const place = requirePlace(path, places, name, data, first)
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        await put(bytes, place.begin + first * bytesPerElement[place.dtype])
        place.written += data.length
      }),
    async finish() {
      await attempt(async () => {
        for (const [name, { written, elements }] of places)
          if (written !== elements)
            throw new MonosemError(
              'shape',
              `write ${path}: tensor ${name} has ${written} of ${elements} elements`,
            )
        await file?.sync()
        await file?.close()
        file = null
        await rename(temporary, path)
        await syncDirectory(dirname(path))
      })
      return Number.isNaN(hashed) ? null : { sha256: hash.digest('hex'), bytes: hashed }
    },
    discard,
  }
}

/** One system call moves less than 2 GiB. */
const maxWriteBytes = 1 << 30

function layOut(
  tensors: Record<string, PlannedTensor>,
  metadata: Record<string, string>,
): { header: Uint8Array; places: Map<string, Place> } {
  const sorted = Object.entries(tensors).sort(
    ([, x], [, y]) => bytesPerElement[y.dtype] - bytesPerElement[x.dtype],
  )
  const header: [string, unknown][] = []
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata])
  const places = new Map<string, Place>()
  let offset = 0
  for (const [name, { dtype, shape }] of sorted) {
    const elements = elementCount(shape)
    const end = offset + elements * bytesPerElement[dtype]
    header.push([name, { dtype, shape, data_offsets: [offset, end] }])
    places.set(name, { dtype, shape, begin: offset, elements, written: 0 })
    offset = end
  }
  const bytes = headerBytes(Object.fromEntries(header))
  for (const place of places.values()) place.begin += bytes.length
  return { header: bytes, places }
}

function requirePlace(
  path: string,
  places: ReadonlyMap<string, Place>,
  name: string,
  data: SafetensorsData,
  first: number,
): Place {
  const place = places.get(name)
  if (!place) throw new MonosemError('missing', `write ${path}: no tensor ${name} was announced`)
  const natural = naturalDtype(data)
  const fits = natural === place.dtype || (natural === 'U16' && ['BF16', 'F16'].includes(place.dtype))
  if (!fits || first < 0 || first + data.length > place.elements)
    throw new MonosemError(
      'shape',
      `write ${path}: expected ${place.dtype} up to element ${place.elements} of ${name}, got ${natural} from ${first} to ${first + data.length}`,
    )
  return place
}
