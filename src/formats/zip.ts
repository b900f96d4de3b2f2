import type { FileHandle } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'
import * as yauzl from 'yauzl'
import { MonosemError } from '../errors/monosem-error.js'
import { shown } from '../errors/shown.js'
import { storageError } from '../storage/atomic-file.js'
import { allocate, openFile, readInto } from './read-bytes.js'

/*
 * Zip archives as NumPy and PyTorch write them: entries that are stored or deflated, also beyond 4 GiB (ZIP64). The directory at the end of
 * the file is read by yauzl; nothing that it says is believed before it was compared with the size of the file.
 */

export interface ZipEntry {
  /** with slashes between folders; never absolute, never with `..` */
  name: string
  /** bytes, after inflating */
  size: number
}

/** An open archive. */
export interface ZipArchive {
  path: string
  /** size of the file in bytes */
  fileBytes: number
  /** by name, in the order of the directory; without folders */
  entries: ReadonlyMap<string, ZipEntry>
  /**
   * Reads an entry into memory of its own, checks its CRC-32, and holds no other copy of it.
   * @throws MonosemError missing, corrupt, io
   */
  read(name: string): Promise<Uint8Array<ArrayBuffer>>
  close(): Promise<void>
}

interface Place extends ZipEntry {
  deflated: boolean
  /** of the bytes as they were before deflating; 0 where the writer did not compute it */
  crc: number
  /** begin of its header, begin and end of its bytes in the file */
  header: number
  begin: number
  end: number
}

/** No archive of weights has more. */
const maxEntries = 65_536

/** Deflate cannot do better than 1032:1 (a match of 258 bytes in two bits); the rest is for entries of a few bytes. */
const largestInflation = (compressed: number): number => 1032 * compressed + 1024

const pieceBytes = 1 << 24

/**
 * How many bytes a file may become in memory: a hundred times its size, or 256 MiB. Weights compress little; a file that promises more
 * was made to fill the memory.
 */
export const expansionLimit = (fileBytes: number): number => Math.max(1 << 28, 100 * fileBytes)

/**
 * Opens a zip archive and checks its directory: names, methods, sizes, and that no two entries share bytes.
 * @throws MonosemError missing, io, format (no zip archive; encrypted; a method other than stored and deflated), corrupt
 */
export async function openZip(path: string): Promise<ZipArchive> {
  const handle = await openFile(path)
  try {
    const { size } = await handle.stat()
    const places = await readDirectory(handle, path, size)
    return {
      path,
      fileBytes: size,
      entries: places,
      async read(name) {
        const place = places.get(name)
        if (!place)
          throw new MonosemError('missing', `${path}: expected an entry ${shown(name)}, there is none`)
        try {
          return await readEntry(handle, path, place)
        } catch (cause) {
          throw storageError('read', path, cause)
        }
      },
      close: () => handle.close(),
    }
  } catch (cause) {
    await handle.close()
    throw storageError('read', path, cause)
  }
}

// ---- the directory ----

const blockBytes = 1 << 16

/**
 * What yauzl reads the directory with: it asks for a few bytes at a time, which come out of larger blocks. Positions outside the file are
 * errors, not exceptions that nobody catches.
 */
class DirectoryReader extends yauzl.RandomAccessReader {
  private block = new Uint8Array(0)
  private blockBegin = 0

  constructor(
    readonly handle: FileHandle,
    readonly path: string,
    readonly size: number,
  ) {
    super()
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null) => void,
  ): void {
    if (!(position >= 0 && position + length <= this.size)) {
      setImmediate(done, new Error(`it points to byte ${position + length}, behind the end of the file`))
      return
    }
    this.loadBlock(position, length).then(() => {
      const begin = position - this.blockBegin
      buffer.set(this.block.subarray(begin, begin + length), offset)
      done(null)
    }, done)
  }

  private async loadBlock(position: number, length: number): Promise<void> {
    const end = this.blockBegin + this.block.length
    if (position >= this.blockBegin && position + length <= end) return
    const block = new Uint8Array(Math.min(Math.max(length, blockBytes), this.size - position))
    await readInto(this.handle, this.path, block, position)
    this.block = block
    this.blockBegin = position
  }
}

async function readDirectory(handle: FileHandle, path: string, size: number): Promise<Map<string, Place>> {
  const places = new Map<string, Place>()
  try {
    const options = { autoClose: false, strictFileNames: true }
    const zip = await yauzl.fromRandomAccessReaderPromise(
      new DirectoryReader(handle, path, size),
      size,
      options,
    )
    if (zip.entryCount > maxEntries)
      throw corrupt(path, `expected at most ${maxEntries} entries, got ${zip.entryCount}`)
    const found: yauzl.Entry[] = []
    for await (const entry of zip.eachEntry()) if (!entry.fileName.endsWith('/')) found.push(entry)
    for (const entry of found) {
      if (places.has(entry.fileName)) throw corrupt(path, `two entries are called ${shown(entry.fileName)}`)
      checkMethod(path, entry)
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true })
      places.set(entry.fileName, placeOf(entry, fileDataStart))
    }
  } catch (cause) {
    if (cause instanceof MonosemError) throw cause
    throw await directoryError(handle, path, size, cause as Error)
  }
  checkSizes(path, [...places.values()], size)
  return places
}

function checkMethod(path: string, entry: yauzl.Entry): void {
  const name = shown(entry.fileName)
  if (entry.isEncrypted())
    throw new MonosemError('format', `${path}: entry ${name} is encrypted`, {
      hint: 'decrypt the archive first',
    })
  if (!entry.canDecodeFileData())
    throw new MonosemError(
      'format',
      `${path}: entry ${name} has compression method ${entry.compressionMethod}`,
      {
        hint: 'Monosem reads entries that are stored (0) or deflated (8): pack the archive again',
      },
    )
}

const placeOf = (entry: yauzl.Entry, begin: number): Place => ({
  name: entry.fileName,
  size: entry.uncompressedSize,
  deflated: entry.compressionMethod === 8,
  crc: entry.crc32,
  header: entry.relativeOffsetOfLocalHeader,
  begin,
  end: begin + entry.compressedSize,
})

/** Entries that share bytes, or inflate beyond what deflate or reason allows, are how a small file fills a memory. */
function checkSizes(path: string, places: readonly Place[], fileBytes: number): void {
  const sorted = [...places].sort((a, b) => a.header - b.header)
  let total = 0
  for (const [i, { name, size, deflated, begin, end }] of sorted.entries()) {
    if (i > 0 && sorted[i].header < sorted[i - 1].end)
      throw corrupt(path, `entries ${shown(sorted[i - 1].name)} and ${shown(name)} overlap`)
    if (deflated && size > largestInflation(end - begin))
      throw corrupt(
        path,
        `entry ${shown(name)} claims ${size} bytes, too many for ${end - begin} deflated ones`,
      )
    total += size
  }
  if (total > expansionLimit(fileBytes))
    throw new MonosemError('format', `${path} would inflate from ${fileBytes} to ${total} bytes`, {
      hint: 'where that is meant, save it without compression (numpy.savez)',
    })
}

async function directoryError(
  handle: FileHandle,
  path: string,
  size: number,
  cause: Error,
): Promise<MonosemError> {
  const start = new Uint8Array(Math.min(size, 2))
  await readInto(handle, path, start, 0)
  if (start[0] !== 0x50 || start[1] !== 0x4b)
    return new MonosemError('format', `${path} is not a zip archive: it does not start with "PK"`, {
      cause,
      hint: 'check the path',
    })
  return corrupt(path, `the directory of the zip archive is damaged: ${cause.message}`, cause)
}

// ---- entries ----

async function readEntry(handle: FileHandle, path: string, place: Place): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = allocate(`${path}: entry ${shown(place.name)}`, place.size)
  const crc = place.deflated
    ? await inflateInto(bytes, handle, path, place)
    : await copyInto(bytes, handle, path, place)
  // PyTorch can be told to leave the CRC-32 of stored entries out; it then writes 0
  const known = place.deflated || place.crc !== 0
  if (known && crc !== place.crc)
    throw corrupt(path, `entry ${shown(place.name)}: expected CRC-32 ${hex(place.crc)}, got ${hex(crc)}`)
  return bytes
}

async function copyInto(
  bytes: Uint8Array<ArrayBuffer>,
  handle: FileHandle,
  path: string,
  { begin }: Place,
): Promise<number> {
  let crc = 0
  for (let done = 0; done < bytes.length; done += pieceBytes) {
    const piece = bytes.subarray(done, done + pieceBytes)
    await readInto(handle, path, piece, begin + done)
    crc = crc32(piece, crc)
  }
  return crc
}

/** Inflates in pieces and stops at the first byte beyond the size that the directory gives. */
async function inflateInto(
  bytes: Uint8Array<ArrayBuffer>,
  handle: FileHandle,
  path: string,
  place: Place,
): Promise<number> {
  const wrongSize = (got: string) =>
    corrupt(path, `entry ${shown(place.name)} should inflate to ${place.size} bytes, got ${got}`)
  let done = 0
  let crc = 0
  try {
    await pipeline(
      deflatedPieces(handle, path, place),
      createInflateRaw({ chunkSize: 1 << 18 }),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          if (done + chunk.length > bytes.length) throw wrongSize('more')
          bytes.set(chunk, done)
          crc = crc32(chunk, crc)
          done += chunk.length
        }
      },
    )
  } catch (cause) {
    if (!String((cause as NodeJS.ErrnoException).code).startsWith('Z_')) throw cause
    throw corrupt(path, `entry ${shown(place.name)} is damaged: ${(cause as Error).message}`, cause)
  }
  if (done !== place.size) throw wrongSize(String(done))
  return crc
}

async function* deflatedPieces(
  handle: FileHandle,
  path: string,
  { begin, end }: Place,
): AsyncGenerator<Uint8Array> {
  for (let at = begin; at < end; at += 1 << 20) {
    const piece = new Uint8Array(Math.min(1 << 20, end - at))
    await readInto(handle, path, piece, at)
    yield piece
  }
}

const hex = (crc: number): string => crc.toString(16).padStart(8, '0')

const corrupt = (path: string, what: string, cause?: unknown): MonosemError =>
  new MonosemError('corrupt', `${path}: ${what}`, {
    cause,
    hint: 'the file is damaged or was cut short: make it again, or copy it again',
  })
