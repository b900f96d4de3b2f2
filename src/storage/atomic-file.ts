import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'

/** Turns an error of the operating system (full disk, permissions, missing file) into one that says what to do. */
export function storageError(action: string, path: string, cause: unknown): MonosemError {
  if (cause instanceof MonosemError) return cause
  const code = (cause as NodeJS.ErrnoException).code
  if (code === 'ENOENT')
    return new MonosemError('missing', `${action} ${path}: no such file or directory`, {
      cause,
      hint: 'check the path',
    })
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new MonosemError('io', `${action} ${path}: the disk is full`, {
      cause,
      hint: 'free some space and run the same command again; finished parts are kept',
    })
  return new MonosemError(
    'io',
    `${action} ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
    {
      cause,
      hint: 'check the permissions of the directory',
    },
  )
}

/** Makes a rename or a new file durable: directories have to be synced too. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a file so that a reader sees either the old content or the new, whatever happens: temporary name, fsync, rename. */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | readonly Uint8Array[],
): Promise<void> {
  const temporary = `${path}.tmp`
  try {
    const handle = await open(temporary, 'w')
    try {
      for (const part of Array.isArray(data) ? data : [data]) await handle.writeFile(part)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncDirectory(dirname(path))
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {})
    throw storageError('write', path, cause)
  }
}

/** SHA-256 of a file as lower-case hex, streamed. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  return hash.digest('hex')
}

/** SHA-256 of bytes or text as lower-case hex. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
