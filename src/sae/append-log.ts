import { appendFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { storageError } from '../storage/atomic-file.js'

/** A file that training appends to. Checkpoints remember `bytes`, so that a resumed run repeats nothing. */
export interface AppendLog {
  bytes: number
  append(data: string | Uint8Array): Promise<void>
}

/** A file that another rank writes. */
export const noAppendLog = async (): Promise<AppendLog> => ({ bytes: 0, append: async () => {} })

/**
 * Opens a file of a directory and drops what is beyond its first `bytes` bytes.
 * @throws MonosemError io
 */
export async function openAppendLog(directory: string, name: string, bytes: number): Promise<AppendLog> {
  const path = join(directory, name)
  const write = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action()
    } catch (cause) {
      throw storageError('write', path, cause)
    }
  }
  await write(() => appendFile(path, ''))
  const kept = Math.min(bytes, (await write(() => stat(path))).size)
  await write(() => truncate(path, kept))
  const log: AppendLog = {
    bytes: kept,
    async append(data) {
      await write(() => appendFile(path, data))
      log.bytes += typeof data === 'string' ? Buffer.byteLength(data) : data.length
    },
  }
  return log
}
