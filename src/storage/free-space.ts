import { statfs } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from './atomic-file.js'

/** Bytes as people read them: "1.2 GB" is 1,200,000,000. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']
  const power = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${power > 0 && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[power]}`
}

/**
 * Checks that a directory's disk has room before work begins that would fill it.
 * @param hint what can be done to need less
 * @throws MonosemError io: says how much is needed and how much there is
 */
export async function requireFreeSpace(directory: string, bytes: number, hint: string): Promise<void> {
  let free: number
  try {
    const { bavail, bsize } = await statfs(directory)
    free = bavail * bsize
  } catch (cause) {
    throw storageError('measure the free space of', directory, cause)
  }
  if (bytes > free)
    throw new MonosemError(
      'io',
      `${directory}: expected ${formatBytes(bytes)} of free space, got ${formatBytes(free)}`,
      { hint },
    )
}
