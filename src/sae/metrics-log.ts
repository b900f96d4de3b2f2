import { appendFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { storageError } from '../storage/atomic-file.js'
import type { Json } from '../storage/stage.js'

/** metrics.jsonl: one JSON object a line. Checkpoints remember `bytes`, so that a resumed run repeats no line. */
export interface MetricsLog {
  bytes: number
  append(line: Record<string, Json>): Promise<void>
}

/**
 * Opens metrics.jsonl in a directory and drops what is beyond the first `bytes` bytes.
 * @throws MonosemError io
 */
export async function openMetricsLog(directory: string, bytes: number): Promise<MetricsLog> {
  const path = join(directory, 'metrics.jsonl')
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
  const log: MetricsLog = {
    bytes: kept,
    async append(line) {
      const text = `${JSON.stringify(line)}\n`
      await write(() => appendFile(path, text))
      log.bytes += Buffer.byteLength(text)
    },
  }
  return log
}
