import { type FileHandle, open } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from '../storage/atomic-file.js'

/** One system call moves less than 2 GiB. */
const maxReadBytes = 1 << 30

/** Opens a file for reading. @throws MonosemError missing, io */
export async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    throw storageError('open', path, cause)
  }
}

/** Memory of `length` bytes, all zero. @throws MonosemError io: so much is not to be had */
export function allocate(what: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length)
  } catch (cause) {
    throw new MonosemError('io', `${what} needs ${length} bytes of memory, which are not to be had`, {
      cause,
    })
  }
}

/**
 * Fills `target` with the bytes of a file from `position` on.
 * @throws MonosemError corrupt: the file ends before
 */
export async function readInto(
  handle: FileHandle,
  path: string,
  target: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0
  while (done < target.length) {
    const length = Math.min(target.length - done, maxReadBytes)
    const { bytesRead } = await handle.read(target, done, length, position + done)
    if (bytesRead === 0)
      throw new MonosemError(
        'corrupt',
        `${path}: expected ${position + target.length} bytes, got ${position + done}`,
        { hint: 'the file was cut short: make it again, or copy it again' },
      )
    done += bytesRead
  }
}
