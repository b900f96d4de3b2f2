import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { throwIfInterrupted } from '../progress/progress.js'
import { storageError, syncDirectory } from '../storage/atomic-file.js'
import { type HubFile, makeDirectory, type RepositoryCache, sizeOf } from './hub-cache.js'
import type { HubRequests } from './hub-requests.js'

/** What a download needs besides the file. */
export interface DownloadContext {
  requests: HubRequests
  cache: RepositoryCache
  commit: string
  signal?: AbortSignal
  /** called with the bytes of this file that are on disk */
  onBytes(bytes: number): void
}

/** Attempts without a single new byte before a download is given up. */
const ATTEMPTS = 4

/**
 * Downloads a file into the cache's blobs. It grows under another name, where the next run finds it after a kill and goes on; only when it
 * has the size and the hash that the hub names does it become the blob.
 * @throws MonosemError remote (the connection breaks again and again), corrupt (another hash), io, interrupted
 */
export async function downloadBlob(file: HubFile, context: DownloadContext): Promise<void> {
  const blob = context.cache.blob(file)
  if ((await sizeOf(blob)) === file.size) return
  await makeDirectory(dirname(blob))
  const partial = `${blob}.monosem.incomplete`
  const resumed = ((await sizeOf(partial)) ?? 0) > 0
  const whole = await fill(partial, file, context)
  if (!whole) {
    await rm(partial, { force: true })
    // What an earlier run left may be the wrong part: once more from the start.
    if (!resumed || !(await fill(partial, file, context))) {
      await rm(partial, { force: true })
      throw new MonosemError(
        'corrupt',
        `${file.path}: what was downloaded has not the hash that the hub names`,
        {
          hint: 'run the command again; if it stays so, the hub or something in between is broken',
        },
      )
    }
  }
  try {
    await rename(partial, blob)
    await syncDirectory(dirname(blob))
  } catch (cause) {
    throw storageError('write', blob, cause)
  }
}

/** Makes a partial file whole. @returns whether its hash is the one that the hub names */
async function fill(partial: string, file: HubFile, context: DownloadContext): Promise<boolean> {
  let handle: FileHandle
  try {
    handle = await open(partial, 'a')
  } catch (cause) {
    throw storageError('write', partial, cause)
  }
  try {
    let { size } = await handle.stat()
    if (size > file.size) {
      await handle.truncate(0)
      size = 0
    }
    const hash = createFileHash(file)
    if (size > 0)
      for await (const chunk of createReadStream(partial, { end: size - 1 })) hash.update(chunk as Buffer)
    const state = { handle, hash, size }
    for (let failures = 0; state.size < file.size; ) {
      const before = state.size
      const cause = await append(state, file, context)
      failures = state.size > before ? 0 : failures + 1
      if (failures >= ATTEMPTS) throw broken(file, state.size, cause)
    }
    await handle.sync()
    return state.hash.digest('hex') === (file.sha256 ?? file.gitHash)
  } catch (cause) {
    throw storageError('write', partial, cause)
  } finally {
    await handle.close()
  }
}

const broken = (file: HubFile, size: number, cause: unknown): MonosemError =>
  new MonosemError('remote', `${file.path}: the connection breaks after ${size} of ${file.size} bytes`, {
    cause,
    hint: 'run the command again: it goes on where it stopped',
  })

/** Git hashes a header and the content; large file storage the content alone. */
function createFileHash({ size, sha256 }: HubFile): Hash {
  return sha256 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}

interface PartialFile {
  handle: FileHandle
  hash: Hash
  size: number
}

/** Appends what one answer brings. @returns why the answer ended early, if it did */
async function append(state: PartialFile, file: HubFile, context: DownloadContext): Promise<unknown> {
  const answer = await context.requests.open(context.commit, file.path, state.size)
  if (answer.status !== 206 || rangeStart(answer) !== state.size) {
    // The whole file, from its start.
    await state.handle.truncate(0)
    state.size = 0
    state.hash = createFileHash(file)
    if (answer.status !== 200) {
      await answer.body?.cancel()
      return new Error(`status ${answer.status}`)
    }
  }
  try {
    for await (const chunk of answer.body ?? []) {
      const room = file.size - state.size
      const bytes = chunk.length > room ? chunk.subarray(0, room) : chunk
      await state.handle
        .write(bytes)
        .catch((cause) => Promise.reject(storageError('write', file.path, cause)))
      state.hash.update(bytes)
      state.size += bytes.length
      context.onBytes(state.size)
      if (chunk.length > room) break
    }
  } catch (cause) {
    throwIfInterrupted(context.signal)
    if (cause instanceof MonosemError) throw cause
    return cause
  }
  return undefined
}

const rangeStart = (answer: Response): number | null => {
  const start = /^bytes (\d+)-/.exec(answer.headers.get('Content-Range') ?? '')?.[1]
  return start === undefined ? null : Number(start)
}
